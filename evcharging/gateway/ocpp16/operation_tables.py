"""Which Action of OCPP 1.6 says which operation, and in which words. Tables alone; ocpp16/operations.py reads them.

Names map an argument to a member of the payload; a dot leads into an object. A value is said as it is, or by a Words.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from connectors.operations import ChangeAvailability, UnlockConnector
from id_tags.operations import ReadLocalListVersion, SendLocalList
from stations.file_operations import (
    CENTRAL_SYSTEM_ROOT,
    MANUFACTURER_ROOT,
    DeleteCertificate,
    DeliverCertificate,
    InstallCertificate,
    ListCertificates,
    UpdateFirmware,
    UpdateSignedFirmware,
    UploadDiagnostics,
    UploadLog,
)
from stations.operations import (
    BOOT,
    DIAGNOSTICS_STATUS,
    FIRMWARE_STATUS,
    HEARTBEAT,
    LOG_STATUS,
    METER_VALUES,
    SIGN_CERTIFICATE,
    STATUS,
    ChangeConfiguration,
    ClearTagCache,
    Operation,
    ReadConfiguration,
    Reset,
    TransferData,
    TriggerMessage,
)
from transactions.operations import (
    CancelReservation,
    ClearChargingProfiles,
    ReadCompositeSchedule,
    Reserve,
    SetChargingProfile,
    StartCharging,
    StopCharging,
)


class Names(NamedTuple):
    """The members of an object, or of each object of a list: argument → where it stands, and how its value is said."""

    members: Mapping[str, "str | tuple[str, Names | Words | Converted]"]


class Words(NamedTuple):
    """Values of a closed list: ours → the wire's."""

    wire: Mapping[Any, Any]


class Converted(NamedTuple):
    """Values that are written otherwise; either function raises ValueError for what cannot be said."""

    to_wire: Callable[[Any], Any]
    from_wire: Callable[[Any], Any]


class Said(NamedTuple):
    """How an operation is said. `fixed`: arguments that the Action itself says. `yes`: status words that mean yes,
    none where the answer has no status."""

    action: str
    operation: type[Operation]
    names: Names = Names({})
    yes: frozenset[str] = frozenset({"Accepted"})
    fixed: Mapping[str, Any] = {}
    source: str = ""
    """Where it is specified, if not where the operation says."""


def _number(ref: str) -> int:
    """Return a transaction's id: 1.6 numbers them."""
    if not ref.lstrip("-").isdecimal() or str(int(ref)) != ref:
        raise ValueError(f"1.6 has no transaction {ref!r}: it numbers them")
    return int(ref)


def _ref(number: Any) -> str:
    if type(number) is not int:
        raise ValueError(f"{number!r} is no transaction id")
    return str(number)


REF = Converted(_number, _ref)
CERTIFICATE_USES = Words(
    {CENTRAL_SYSTEM_ROOT: "CentralSystemRootCertificate", MANUFACTURER_ROOT: "ManufacturerRootCertificate"}
)
MESSAGES = Words(
    {
        BOOT: "BootNotification",
        HEARTBEAT: "Heartbeat",
        STATUS: "StatusNotification",
        METER_VALUES: "MeterValues",
        DIAGNOSTICS_STATUS: "DiagnosticsStatusNotification",
        FIRMWARE_STATUS: "FirmwareStatusNotification",
        LOG_STATUS: "LogStatusNotification",
        SIGN_CERTIFICATE: "SignChargePointCertificate",
    }
)
RETRIES = {"retries": "retries", "retry_after_s": "retryInterval"}
HASH = {
    "hash_algorithm": "hashAlgorithm",
    "issuer_name_hash": "issuerNameHash",
    "issuer_key_hash": "issuerKeyHash",
    "serial_number": "serialNumber",
}
PERIOD = Names({"starts_s": "startPeriod", "limit": "limit", "phases": "numberPhases"})
SCHEDULE = Names(
    {
        "unit": "chargingRateUnit",
        "periods": ("chargingSchedulePeriod", PERIOD),
        "duration_s": "duration",
        "starts_at": "startSchedule",
        "min_rate": "minChargingRate",
    }
)
PROFILE = Names(
    {
        "profile_id": "chargingProfileId",
        "purpose": "chargingProfilePurpose",
        "kind": "chargingProfileKind",
        "stack_level": "stackLevel",
        "schedule": ("chargingSchedule", SCHEDULE),
        "recurrency": "recurrencyKind",
        "valid_from": "validFrom",
        "valid_to": "validTo",
        "transaction_ref": ("transactionId", REF),
    }
)
TAG_STATUS = Names({"status": "status", "expires_at": "expiryDate", "group_id_tag": "parentIdTag"})
TRIGGER = Names({"message": ("requestedMessage", MESSAGES), "connector_id": "connectorId"})

SAID = (
    Said("CancelReservation", CancelReservation, Names({"reservation_id": "reservationId"})),
    Said("CertificateSigned", DeliverCertificate, Names({"chain": "certificateChain"})),
    Said(
        "ChangeAvailability",
        ChangeAvailability,
        Names({"connector_id": "connectorId", "availability": "type"}),
        frozenset({"Accepted", "Scheduled"}),
    ),
    Said(
        "ChangeConfiguration",
        ChangeConfiguration,
        Names({"key": "key", "value": "value"}),
        frozenset({"Accepted", "RebootRequired"}),
    ),
    Said("ClearCache", ClearTagCache),
    Said(
        "ClearChargingProfile",
        ClearChargingProfiles,
        Names(
            {
                "profile_id": "id",
                "connector_id": "connectorId",
                "purpose_of_profile": "chargingProfilePurpose",
                "stack_level": "stackLevel",
            }
        ),
    ),
    Said("DataTransfer", TransferData, Names({"vendor_id": "vendorId", "message_id": "messageId", "data": "data"})),
    Said(
        "DeleteCertificate",
        DeleteCertificate,
        Names({name: f"certificateHashData.{member}" for name, member in HASH.items()}),
    ),
    Said(
        "ExtendedTriggerMessage",
        TriggerMessage,
        TRIGGER,
        fixed={"is_extended": True},
        source="security white paper",
    ),
    Said(
        "GetCompositeSchedule",
        ReadCompositeSchedule,
        Names({"connector_id": "connectorId", "duration_s": "duration", "unit": "chargingRateUnit"}),
    ),
    Said("GetConfiguration", ReadConfiguration, Names({"keys": "key"}), frozenset()),
    Said(
        "GetDiagnostics",
        UploadDiagnostics,
        Names({"location": "location", "since": "startTime", "until": "stopTime", **RETRIES}),
        frozenset(),
    ),
    Said(
        "GetInstalledCertificateIds",
        ListCertificates,
        Names({"use": ("certificateType", CERTIFICATE_USES)}),
        frozenset({"Accepted", "NotFound"}),
    ),
    Said("GetLocalListVersion", ReadLocalListVersion, yes=frozenset()),
    Said(
        "GetLog",
        UploadLog,
        Names(
            {
                "log": ("logType", Words({"diagnostics": "DiagnosticsLog", "security": "SecurityLog"})),
                "request_id": "requestId",
                "location": "log.remoteLocation",
                "since": "log.oldestTimestamp",
                "until": "log.latestTimestamp",
                **RETRIES,
            }
        ),
        frozenset({"Accepted", "AcceptedCanceled"}),
    ),
    Said(
        "InstallCertificate",
        InstallCertificate,
        Names({"use": ("certificateType", CERTIFICATE_USES), "certificate": "certificate"}),
    ),
    Said(
        "RemoteStartTransaction",
        StartCharging,
        Names({"id_tag": "idTag", "connector_id": "connectorId", "profile": ("chargingProfile", PROFILE)}),
    ),
    Said("RemoteStopTransaction", StopCharging, Names({"transaction_ref": ("transactionId", REF)})),
    Said(
        "ReserveNow",
        Reserve,
        Names(
            {
                "reservation_id": "reservationId",
                "connector_id": "connectorId",
                "id_tag": "idTag",
                "expires_at": "expiryDate",
                "group_id_tag": "parentIdTag",
            }
        ),
    ),
    Said("Reset", Reset, Names({"is_immediate": ("type", Words({True: "Hard", False: "Soft"}))})),
    Said(
        "SendLocalList",
        SendLocalList,
        Names(
            {
                "version": "listVersion",
                "update": "updateType",
                "tags": (
                    "localAuthorizationList",
                    Names({"id_tag": "idTag", "authorization": ("idTagInfo", TAG_STATUS)}),
                ),
            }
        ),
    ),
    Said(
        "SetChargingProfile",
        SetChargingProfile,
        Names({"connector_id": "connectorId", "profile": ("csChargingProfiles", PROFILE)}),
    ),
    Said(
        "SignedUpdateFirmware",
        UpdateSignedFirmware,
        Names(
            {
                "request_id": "requestId",
                "location": "firmware.location",
                "fetch_at": "firmware.retrieveDateTime",
                "install_at": "firmware.installDateTime",
                "signing_certificate": "firmware.signingCertificate",
                "signature": "firmware.signature",
                **RETRIES,
            }
        ),
        frozenset({"Accepted", "AcceptedCanceled"}),
    ),
    Said("TriggerMessage", TriggerMessage, TRIGGER, fixed={"is_extended": False}),
    Said("UnlockConnector", UnlockConnector, Names({"connector_id": "connectorId"}), frozenset({"Unlocked"})),
    Said(
        "UpdateFirmware",
        UpdateFirmware,
        Names({"location": "location", "fetch_at": "retrieveDate", **RETRIES}),
        frozenset(),
    ),
)

RESULTS = {
    "read_configuration": Names(
        {
            "keys": ("configurationKey", Names({"key": "key", "value": "value", "is_readonly": "readonly"})),
            "unknown": "unknownKey",
        }
    ),
    "read_local_list_version": Names({"version": "listVersion"}),
    "read_composite_schedule": Names(
        {"connector_id": "connectorId", "starts_at": "scheduleStart", "schedule": ("chargingSchedule", SCHEDULE)}
    ),
    "list_certificates": Names({"certificates": ("certificateHashData", Names(HASH))}),
    "upload_diagnostics": Names({"file_name": "fileName"}),
    "upload_log": Names({"file_name": "filename"}),
    "transfer_data": Names({"data": "data"}),
}
"""What the answer to an operation tells beside its status."""
