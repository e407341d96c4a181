"""A charge point's configuration keys (OCPP 1.6 §9 and the security white paper), and what may be written to them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from evcharging.simulator import certificates, local_list, profiles
from evcharging.simulator.hardware import Hardware
from evcharging.simulator.meter import MEASURANDS

MAX_KEYS = 50
PROFILES = "Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging,RemoteTrigger"


@dataclass
class Key:
    """One key; `value` is None where it can only be written. One that `needs_reboot` keeps the new one until then."""

    name: str
    value: str | None
    fits: Callable[[str], bool] | None = None
    needs_reboot: bool = False
    next_value: str | None = None

    @property
    def is_readonly(self) -> bool:
        return self.fits is None


class Configuration:
    """All keys of one charge point; names are case-insensitive (CiString)."""

    def __init__(self, hardware: Hardware) -> None:
        self._keys = {key.name.lower(): key for key in _keys(hardware)}

    def text(self, name: str) -> str:
        return self._keys[name.lower()].value or ""

    def integer(self, name: str) -> int:
        return int(self.text(name))

    def flag(self, name: str) -> bool:
        return self.text(name) == "true"

    def words(self, name: str) -> list[str]:
        return [word.strip() for word in self.text(name).split(",") if word.strip()]

    def put(self, name: str, value: str) -> None:
        """Set a key from inside: what the central system answered to a boot, for one."""
        self._keys[name.lower()].value = value

    def name_of(self, name: str) -> str:
        """Return the key's own spelling; "" if there is none."""
        key = self._keys.get(name.lower())
        return key.name if key else ""

    def change(self, name: str, value: str) -> str:
        """Write a key as ChangeConfiguration does (OCPP 1.6 §5.3) and return the status."""
        key = self._keys.get(name.lower())
        if key is None:
            return "NotSupported"
        if key.fits is None or not key.fits(value):
            return "Rejected"
        if _is_flag(value):
            value = value.lower()
        if key.needs_reboot:
            key.next_value = value
            return "RebootRequired"
        if key.value is not None:
            key.value = value
        return "Accepted"

    def reboot(self) -> None:
        """Take over what waited for a reboot."""
        for key in self._keys.values():
            if key.next_value is not None:
                key.value, key.next_value = key.next_value, None

    def shown(self, names: Iterable[str]) -> tuple[list[Key], list[str]]:
        """Return the keys asked for, all of them if none is named, and the names that are unknown."""
        wanted = list(names) or [key.name for key in self._keys.values()]
        known = [self._keys[name.lower()] for name in wanted if name.lower() in self._keys]
        unknown = [name for name in wanted if name.lower() not in self._keys]
        return known, unknown


def _is_flag(value: str) -> bool:
    return value.lower() in ("true", "false")


def _number(minimum: int, maximum: int = 10**7) -> Callable[[str], bool]:
    return lambda value: value.isascii() and value.isdigit() and minimum <= int(value) <= maximum


def _are_measurands(value: str) -> bool:
    words = [word.strip() for word in value.split(",") if word.strip()]
    return len(words) <= len(MEASURANDS) and all(word in MEASURANDS for word in words)


def _is_authorization_key(value: str) -> bool:
    """16 to 20 bytes as hexadecimal digits, or as much text (OCPP-J 1.6 §6.2.2)."""
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
        Key("AllowOfflineTxForUnknownId", "false", _is_flag),
        Key("AuthorizationCacheEnabled", "true", _is_flag),
        Key("AuthorizeRemoteTxRequests", "true", _is_flag),
        Key("BlinkRepeat", "3", _number(0, 100)),
        Key("ClockAlignedDataInterval", "0", _number(0, 86_400)),
        Key("ConnectionTimeOut", "120", _number(1, 3600)),
        Key("ConnectorPhaseRotation", rotation, _is_rotation, needs_reboot=True),
        Key("ConnectorPhaseRotationMaxLength", str(hardware.connectors)),
        Key("GetConfigurationMaxKeys", str(MAX_KEYS)),
        Key("HeartbeatInterval", "300", _number(1, 86_400)),
        Key("LightIntensity", "80", _number(0, 100)),
        Key("LocalAuthorizeOffline", "true", _is_flag),
        Key("LocalPreAuthorize", "false", _is_flag),
        Key("MeterValuesAlignedData", register, _are_measurands),
        Key("MeterValuesAlignedDataMaxLength", str(len(MEASURANDS))),
        Key("MeterValuesSampledData", ",".join(sampled), _are_measurands),
        Key("MeterValuesSampledDataMaxLength", str(len(MEASURANDS))),
        Key("MeterValueSampleInterval", "60", _number(0, 86_400)),
        Key("MinimumStatusDuration", "0", _number(0, 3600)),
        Key("NumberOfConnectors", str(hardware.connectors)),
        Key("ResetRetries", "1", _number(0, 10)),
        Key("StopTransactionOnEVSideDisconnect", "true", _is_flag),
        Key("StopTransactionOnInvalidId", "true", _is_flag),
        Key("StopTxnAlignedData", "", _are_measurands),
        Key("StopTxnAlignedDataMaxLength", str(len(MEASURANDS))),
        Key("StopTxnSampledData", register, _are_measurands),
        Key("StopTxnSampledDataMaxLength", str(len(MEASURANDS))),
        Key("SupportedFeatureProfiles", PROFILES),
        Key("SupportedFeatureProfilesMaxLength", "6"),
        Key("TransactionMessageAttempts", "3", _number(1, 100)),
        Key("TransactionMessageRetryInterval", "1", _number(0, 3600)),
        Key("UnlockConnectorOnEVSideDisconnect", "true", _is_flag),
        Key("WebSocketPingInterval", "60", _number(0, 86_400), needs_reboot=True),
        Key("LocalAuthListEnabled", "true", _is_flag),
        Key("LocalAuthListMaxLength", str(local_list.MAX_LENGTH)),
        Key("SendLocalListMaxLength", str(local_list.SEND_MAX_LENGTH)),
        Key("ReserveConnectorZeroSupported", "true"),
        Key("ChargeProfileMaxStackLevel", str(profiles.MAX_STACK_LEVEL)),
        Key("ChargingScheduleAllowedChargingRateUnit", "Current,Power"),
        Key("ChargingScheduleMaxPeriods", str(profiles.MAX_PERIODS)),
        Key("ConnectorSwitch3to1PhaseSupported", "false"),
        Key("MaxChargingProfilesInstalled", str(profiles.MAX_PROFILES)),
        Key("AdditionalRootCertificateCheck", "false"),
        Key("AuthorizationKey", None, _is_authorization_key),
        Key("CertificateSignedMaxChainSize", "10000"),
        Key("CertificateStoreMaxLength", str(certificates.MAX_CERTIFICATES)),
        Key("CpoName", "", lambda value: len(value) <= 50),
        # Over the plain sockets of the simulator there is nothing above Basic passwords, and no way down.
        Key("SecurityProfile", "0"),
    ]
