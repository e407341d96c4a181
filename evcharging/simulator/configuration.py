"""A charge point's configuration keys (OCPP 1.6 §9, security white paper) and the values that each accepts."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from evcharging.simulator import certificates, charging_profiles, local_list
from evcharging.simulator.hardware import Hardware
from evcharging.simulator.meter import MEASURANDS

MAX_KEYS = 50
PROFILES = "Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging,RemoteTrigger"


@dataclass
class Key:
    """One key; a write-only key has the `value` None. With `needs_reboot` a new value is pending until the reboot."""

    name: str
    value: str | None
    is_valid: Callable[[str], bool] | None = None
    needs_reboot: bool = False
    pending_value: str | None = None

    @property
    def is_readonly(self) -> bool:
        return self.is_valid is None


class Configuration:
    """All keys of one charge point; their names are case-insensitive (CiString)."""

    def __init__(self, hardware: Hardware) -> None:
        self._keys = {key.name.lower(): key for key in _keys(hardware)}

    def text(self, name: str) -> str:
        return self._keys[name.lower()].value or ""

    def integer(self, name: str) -> int:
        return int(self.text(name))

    def boolean(self, name: str) -> bool:
        return self.text(name) == "true"

    def csv_items(self, name: str) -> list[str]:
        return _csv_items(self.text(name))

    def set(self, name: str, value: str) -> None:
        """Set a key that the station itself changes, such as HeartbeatInterval by the answer to a BootNotification."""
        self._keys[name.lower()].value = value

    def canonical_name(self, name: str) -> str:
        """Return the key's own spelling, "" if it is unknown."""
        key = self._keys.get(name.lower())
        return key.name if key else ""

    def change(self, name: str, value: str) -> str:
        """Apply a ChangeConfiguration (OCPP 1.6 §5.3) and return its status."""
        key = self._keys.get(name.lower())
        if key is None:
            return "NotSupported"
        if key.is_valid is None or not key.is_valid(value):
            return "Rejected"
        if _is_boolean(value):
            value = value.lower()
        if key.needs_reboot:
            key.pending_value = value
            return "RebootRequired"
        if key.value is not None:
            key.value = value
        return "Accepted"

    def apply_pending(self) -> None:
        """Make pending values current, as a reboot does."""
        for key in self._keys.values():
            if key.pending_value is not None:
                key.value, key.pending_value = key.pending_value, None

    def find(self, names: Iterable[str]) -> tuple[list[Key], list[str]]:
        """Return the named keys, all keys if none is named, and the unknown names (OCPP 1.6 §5.8)."""
        requested = list(names) or [key.name for key in self._keys.values()]
        known = [self._keys[name.lower()] for name in requested if name.lower() in self._keys]
        unknown = [name for name in requested if name.lower() not in self._keys]
        return known, unknown


def _csv_items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def _is_boolean(value: str) -> bool:
    return value.lower() in ("true", "false")


def _number(minimum: int, maximum: int = 10**7) -> Callable[[str], bool]:
    return lambda value: value.isascii() and value.isdigit() and minimum <= int(value) <= maximum


def _are_measurands(value: str) -> bool:
    measurands = _csv_items(value)
    return len(measurands) <= len(MEASURANDS) and all(measurand in MEASURANDS for measurand in measurands)


def _is_authorization_key(value: str) -> bool:
    """Accept 16 to 40 printable characters: text, or 16 to 20 bytes in hexadecimal (OCPP-J 1.6 §6.2.2)."""
    return 16 <= len(value) <= 40 and value.isprintable()


def _is_rotation(value: str) -> bool:
    return 0 < len(value) <= 100


def _keys(hardware: Hardware) -> list[Key]:
    sampled = ["Energy.Active.Import.Register", "Power.Active.Import", "Current.Import", "Voltage"]
    if hardware.is_dc:
        sampled.append("SoC")
    register = "Energy.Active.Import.Register"
    rotation = ",".join(f"{number}.RST" for number in range(1, hardware.connectors + 1))
    return [
        Key("AllowOfflineTxForUnknownId", "false", _is_boolean),
        Key("AuthorizationCacheEnabled", "true", _is_boolean),
        Key("AuthorizeRemoteTxRequests", "true", _is_boolean),
        Key("BlinkRepeat", "3", _number(0, 100)),
        Key("ClockAlignedDataInterval", "0", _number(0, 86_400)),
        Key("ConnectionTimeOut", "120", _number(1, 3600)),
        Key("ConnectorPhaseRotation", rotation, _is_rotation, needs_reboot=True),
        Key("ConnectorPhaseRotationMaxLength", str(hardware.connectors)),
        Key("GetConfigurationMaxKeys", str(MAX_KEYS)),
        Key("HeartbeatInterval", "300", _number(1, 86_400)),
        Key("LightIntensity", "80", _number(0, 100)),
        Key("LocalAuthorizeOffline", "true", _is_boolean),
        Key("LocalPreAuthorize", "false", _is_boolean),
        Key("MeterValuesAlignedData", register, _are_measurands),
        Key("MeterValuesAlignedDataMaxLength", str(len(MEASURANDS))),
        Key("MeterValuesSampledData", ",".join(sampled), _are_measurands),
        Key("MeterValuesSampledDataMaxLength", str(len(MEASURANDS))),
        Key("MeterValueSampleInterval", "60", _number(0, 86_400)),
        Key("MinimumStatusDuration", "0", _number(0, 3600)),
        Key("NumberOfConnectors", str(hardware.connectors)),
        Key("ResetRetries", "1", _number(0, 10)),
        Key("StopTransactionOnEVSideDisconnect", "true", _is_boolean),
        Key("StopTransactionOnInvalidId", "true", _is_boolean),
        Key("StopTxnAlignedData", "", _are_measurands),
        Key("StopTxnAlignedDataMaxLength", str(len(MEASURANDS))),
        Key("StopTxnSampledData", register, _are_measurands),
        Key("StopTxnSampledDataMaxLength", str(len(MEASURANDS))),
        Key("SupportedFeatureProfiles", PROFILES),
        Key("SupportedFeatureProfilesMaxLength", "6"),
        Key("TransactionMessageAttempts", "3", _number(1, 100)),
        Key("TransactionMessageRetryInterval", "1", _number(0, 3600)),
        Key("UnlockConnectorOnEVSideDisconnect", "true", _is_boolean),
        Key("WebSocketPingInterval", "60", _number(0, 86_400), needs_reboot=True),
        Key("LocalAuthListEnabled", "true", _is_boolean),
        Key("LocalAuthListMaxLength", str(local_list.MAX_LENGTH)),
        Key("SendLocalListMaxLength", str(local_list.SEND_MAX_LENGTH)),
        Key("ReserveConnectorZeroSupported", "true"),
        Key("ChargeProfileMaxStackLevel", str(charging_profiles.MAX_STACK_LEVEL)),
        Key("ChargingScheduleAllowedChargingRateUnit", "Current,Power"),
        Key("ChargingScheduleMaxPeriods", str(charging_profiles.MAX_PERIODS)),
        Key("ConnectorSwitch3to1PhaseSupported", "false"),
        Key("MaxChargingProfilesInstalled", str(charging_profiles.MAX_PROFILES)),
        Key("AdditionalRootCertificateCheck", "false"),
        Key("AuthorizationKey", None, _is_authorization_key),
        Key("CertificateSignedMaxChainSize", "10000"),
        Key("CertificateStoreMaxLength", str(certificates.MAX_CERTIFICATES)),
        Key("CpoName", "", lambda value: len(value) <= 50),
        # Read-only: the simulator has no TLS, so HTTP Basic is the highest profile that it supports.
        Key("SecurityProfile", "0"),
    ]
