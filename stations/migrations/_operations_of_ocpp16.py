"""How commands that held a frame of OCPP 1.6 are said as operations: for the migrations beside it, never changed."""

from collections.abc import Mapping
from typing import Any

Names = Mapping[str, Any]

RETRIES = {"retries": "retries", "retry_after_s": "retryInterval"}
USES = {"CentralSystemRootCertificate": "central_system_root", "ManufacturerRootCertificate": "manufacturer_root"}
MESSAGES = {
    "BootNotification": "boot",
    "Heartbeat": "heartbeat",
    "StatusNotification": "status",
    "MeterValues": "meter_values",
    "DiagnosticsStatusNotification": "diagnostics_status",
    "FirmwareStatusNotification": "firmware_status",
    "LogStatusNotification": "log_status",
    "SignChargePointCertificate": "sign_certificate",
}
SCHEDULE = {
    "unit": "chargingRateUnit",
    "periods": ("chargingSchedulePeriod", {"starts_s": "startPeriod", "limit": "limit", "phases": "numberPhases"}),
    "duration_s": "duration",
    "starts_at": "startSchedule",
    "min_rate": "minChargingRate",
}
PROFILE = {
    "profile_id": "chargingProfileId",
    "purpose": "chargingProfilePurpose",
    "kind": "chargingProfileKind",
    "stack_level": "stackLevel",
    "schedule": ("chargingSchedule", SCHEDULE),
    "recurrency": "recurrencyKind",
    "valid_from": "validFrom",
    "valid_to": "validTo",
    "transaction_ref": ("transactionId", str),
}
TRIGGER = {"message": ("requestedMessage", MESSAGES.__getitem__), "connector_id": "connectorId"}
TAG_STATUS = {"status": "status", "expires_at": "expiryDate", "group_id_tag": "parentIdTag"}
SAID: dict[str, tuple[str, Names]] = {
    "CancelReservation": ("cancel_reservation", {"reservation_id": "reservationId"}),
    "CertificateSigned": ("deliver_certificate", {"chain": "certificateChain"}),
    "ChangeAvailability": ("change_availability", {"connector_id": "connectorId", "availability": "type"}),
    "ChangeConfiguration": ("change_configuration", {"key": "key", "value": "value"}),
    "ClearCache": ("clear_tag_cache", {}),
    "ClearChargingProfile": (
        "clear_charging_profiles",
        {
            "profile_id": "id",
            "connector_id": "connectorId",
            "purpose_of_profile": "chargingProfilePurpose",
            "stack_level": "stackLevel",
        },
    ),
    "DataTransfer": ("transfer_data", {"vendor_id": "vendorId", "message_id": "messageId", "data": "data"}),
    "DeleteCertificate": (
        "delete_certificate",
        {
            "hash_algorithm": "certificateHashData.hashAlgorithm",
            "issuer_name_hash": "certificateHashData.issuerNameHash",
            "issuer_key_hash": "certificateHashData.issuerKeyHash",
            "serial_number": "certificateHashData.serialNumber",
        },
    ),
    "ExtendedTriggerMessage": ("trigger_message", TRIGGER),
    "GetCompositeSchedule": (
        "read_composite_schedule",
        {"connector_id": "connectorId", "duration_s": "duration", "unit": "chargingRateUnit"},
    ),
    "GetConfiguration": ("read_configuration", {"keys": "key"}),
    "GetDiagnostics": (
        "upload_diagnostics",
        {"location": "location", "since": "startTime", "until": "stopTime", **RETRIES},
    ),
    "GetInstalledCertificateIds": ("list_certificates", {"use": ("certificateType", USES.__getitem__)}),
    "GetLocalListVersion": ("read_local_list_version", {}),
    "GetLog": (
        "upload_log",
        {
            "log": ("logType", {"DiagnosticsLog": "diagnostics", "SecurityLog": "security"}.__getitem__),
            "request_id": "requestId",
            "location": "log.remoteLocation",
            "since": "log.oldestTimestamp",
            "until": "log.latestTimestamp",
            **RETRIES,
        },
    ),
    "InstallCertificate": (
        "install_certificate",
        {"use": ("certificateType", USES.__getitem__), "certificate": "certificate"},
    ),
    "RemoteStartTransaction": (
        "start_charging",
        {"id_tag": "idTag", "connector_id": "connectorId", "profile": ("chargingProfile", PROFILE)},
    ),
    "RemoteStopTransaction": ("stop_charging", {"transaction_ref": ("transactionId", str)}),
    "ReserveNow": (
        "reserve",
        {
            "reservation_id": "reservationId",
            "connector_id": "connectorId",
            "id_tag": "idTag",
            "expires_at": "expiryDate",
            "group_id_tag": "parentIdTag",
        },
    ),
    "Reset": ("reset", {"is_immediate": ("type", {"Hard": True, "Soft": False}.__getitem__)}),
    "SendLocalList": (
        "send_local_list",
        {
            "version": "listVersion",
            "update": "updateType",
            "tags": ("localAuthorizationList", {"id_tag": "idTag", "authorization": ("idTagInfo", TAG_STATUS)}),
        },
    ),
    "SetChargingProfile": (
        "set_charging_profile",
        {"connector_id": "connectorId", "profile": ("csChargingProfiles", PROFILE)},
    ),
    "SignedUpdateFirmware": (
        "update_signed_firmware",
        {
            "request_id": "requestId",
            "location": "firmware.location",
            "fetch_at": "firmware.retrieveDateTime",
            "install_at": "firmware.installDateTime",
            "signing_certificate": "firmware.signingCertificate",
            "signature": "firmware.signature",
            **RETRIES,
        },
    ),
    "TriggerMessage": ("trigger_message", TRIGGER),
    "UnlockConnector": ("unlock_connector", {"connector_id": "connectorId"}),
    "UpdateFirmware": ("update_firmware", {"location": "location", "fetch_at": "retrieveDate", **RETRIES}),
}
"""Action → the operation, and where each of its arguments stands in the payload."""


def operation_of(action: str) -> str:
    """Return the name of the operation that an Action says, "" for none."""
    return SAID[action][0] if action in SAID else ""


def arguments_of(action: str, payload: Any) -> dict[str, Any] | None:
    """Return the arguments of a payload; None where it says anything that is no argument."""
    try:
        arguments = _read(payload, SAID[action][1])
    except (KeyError, TypeError, AttributeError, ValueError):
        return None
    return {**arguments, "is_extended": True} if action == "ExtendedTriggerMessage" else arguments


def renamed(value: Any, names: Names) -> Any:
    """Return what a station told in words of the domain; what is not as specified stays as it came."""
    if isinstance(value, list):
        return [renamed(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    ours = {}
    for name, place in names.items():
        path, inner = place if isinstance(place, tuple) else (place, None)
        ours[path] = name, inner
    told = {}
    for key, item in value.items():
        name, inner = ours.get(key, (key, None))
        told[name] = renamed(item, inner) if isinstance(inner, dict) else item
    return told


def _read(payload: Any, names: Names) -> dict[str, Any]:
    if isinstance(payload, dict) is False:
        raise TypeError("no object")
    rest = {key: dict(value) if _is_flattened(key, names) else value for key, value in payload.items()}
    arguments: dict[str, Any] = {}
    for name, place in names.items():
        path, rule = place if isinstance(place, tuple) else (place, None)
        *objects, last = path.split(".")
        holder = rest
        for key in objects:
            holder = holder.get(key, {})
        if last not in holder:
            continue
        value = holder.pop(last)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(rule, dict):
            value = [_read(item, rule) for item in value] if isinstance(value, list) else _read(value, rule)
        elif rule is not None:
            value = rule(value)
        arguments[name] = value
    if any(value != {} or not _is_flattened(key, names) for key, value in rest.items()):
        raise ValueError("more than the arguments")
    return arguments


def _is_flattened(key: str, names: Names) -> bool:
    places = [place[0] if isinstance(place, tuple) else place for place in names.values()]
    return any(place.startswith(f"{key}.") for place in places)
