"""OCPP 1.6 as a dialect: operations into frames, frames into operations, answers into what they mean. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from evcharging import ocpp16_schemas as schemas
from evcharging.gateway.ocpp16.operation_tables import RESULTS, SAID, Converted, Names, Said, Words
from stations.dialects import Frame, FrameProblem, Limit, Reading, Unsayable, Verdict
from stations.operations import BadArguments, Operation, RawFrame, read_operation, words_of
from stations.secrets import MASK, is_secret

VERSION, TITLE = "ocpp1.6", "OCPP 1.6"
MAX_ID_TAG = 20
"""What the schema has room for (OCPP 1.6 §7.29)."""
MAX_AUTHORIZATION_KEY = 40
"""Characters of an AuthorizationKey: 20 bytes as hex digits (OCPP-J 1.6 §6.2.2)."""
STANDARD_KEYS = (
    "SupportedFeatureProfiles", "NumberOfConnectors", "GetConfigurationMaxKeys", "HeartbeatInterval",
    "ConnectionTimeOut", "MeterValueSampleInterval", "MeterValuesSampledData", "ClockAlignedDataInterval",
    "MeterValuesAlignedData", "StopTxnSampledData", "AuthorizeRemoteTxRequests", "LocalAuthorizeOffline",
    "LocalPreAuthorize", "StopTransactionOnInvalidId", "StopTransactionOnEVSideDisconnect", "ResetRetries",
    "TransactionMessageAttempts", "TransactionMessageRetryInterval", "WebSocketPingInterval", "LocalAuthListEnabled",
    "LocalAuthListMaxLength", "SendLocalListMaxLength", "ReserveConnectorZeroSupported", "ChargeProfileMaxStackLevel",
    "ChargingScheduleAllowedChargingRateUnit", "ChargingScheduleMaxPeriods", "MaxChargingProfilesInstalled",
    "SecurityProfile",
)  # fmt: skip
"""OCPP 1.6 §9."""
LIMIT_KEYS = {
    Limit.CONFIGURATION_KEYS: "GetConfigurationMaxKeys",
    Limit.LOCAL_LIST_TAGS: "LocalAuthListMaxLength",
    Limit.LOCAL_LIST_PART: "SendLocalListMaxLength",
    Limit.PROFILE_STACK_LEVEL: "ChargeProfileMaxStackLevel",
    Limit.PROFILE_PERIODS: "ChargingScheduleMaxPeriods",
    Limit.PROFILE_UNITS: "ChargingScheduleAllowedChargingRateUnit",
}
VERDICTS = {
    "Accepted": Verdict.ACCEPTED,
    "AcceptedCanceled": Verdict.ACCEPTED,
    "Unlocked": Verdict.ACCEPTED,
    "Scheduled": Verdict.SCHEDULED,
    "RebootRequired": Verdict.AFTER_REBOOT,
    "NotSupported": Verdict.NOT_SUPPORTED,
    "NotImplemented": Verdict.NOT_SUPPORTED,
    "NotFound": Verdict.NOT_FOUND,
    "Unknown": Verdict.NOT_FOUND,
    "VersionMismatch": Verdict.OUT_OF_STEP,
}
FRACTIONS = frozenset({"limit", "min_rate"})
"""Arguments that need not be whole numbers: 32.0 stays 32.0."""
_OUT_OF_STEP = {("SendLocalList", "Failed")}
_BY_ACTION = {said.action: said for said in SAID}
_BY_KIND: dict[type[Operation], list[Said]] = {}
for _one in SAID:
    _BY_KIND.setdefault(_one.operation, []).append(_one)


class Ocpp16Operations:
    """See stations.dialects.Dialect."""

    version = VERSION
    title = TITLE
    standard_keys: Sequence[str] = STANDARD_KEYS
    limit_keys: Mapping[Limit, str] = LIMIT_KEYS
    max_id_tag = MAX_ID_TAG

    def actions(self) -> list[str]:
        return sorted(_BY_ACTION)

    def frame(self, operation: Operation | RawFrame) -> Frame:
        if isinstance(operation, RawFrame):
            if operation.version != VERSION:
                raise Unsayable(f"it is written for {operation.version}, and the station speaks {TITLE}")
            return Frame(operation.action, dict(operation.payload))
        for said in _BY_KIND.get(type(operation), ()):
            if all(getattr(operation, name) == value for name, value in said.fixed.items()):
                return Frame(said.action, _to_wire(operation, said.names, said.fixed))
        raise Unsayable(f"{TITLE} has no words for {operation.name}")

    def operation(self, action: str, payload: Mapping[str, Any]) -> Operation | None:
        said = _BY_ACTION.get(action)
        if said is None:
            return None
        try:
            return read_operation(said.operation.name, {**_from_wire(payload, said.names), **said.fixed})
        except (BadArguments, ValueError, KeyError, TypeError):
            return None

    def operation_of(self, action: str) -> type[Operation] | None:
        said = _BY_ACTION.get(action)
        return None if said is None else said.operation

    def problem(self, frame: Frame) -> FrameProblem | None:
        if frame.action not in _BY_ACTION:
            return FrameProblem("action", f"{TITLE} has no command {frame.action}")
        error = schemas.request_error(frame.action, frame.payload)
        return None if error is None else FrameProblem(error.field, error.message)

    def reading(self, action: str, status: str, response: Any) -> Reading:
        said = _BY_ACTION.get(action)
        if said is None:
            is_yes = status in ("", "Accepted")
        else:
            is_yes = not said.yes or status in said.yes
        names = None if said is None else RESULTS.get(said.operation.name)
        result = _renamed(response, names) if names is not None and isinstance(response, dict) else None
        return Reading(_verdict(action, status, is_yes), is_yes, result)

    def secret_member(self, frame: Frame) -> str | None:
        is_key = frame.action == "ChangeConfiguration" and is_secret(frame.payload.get("key"))
        return "value" if is_key else None

    def secret_problem(self, secret: object) -> str:
        if isinstance(secret, str) and len(secret) <= MAX_AUTHORIZATION_KEY:
            return ""
        return f"an AuthorizationKey is a text of at most {MAX_AUTHORIZATION_KEY} characters"

    def without_secrets(self, action: str, response: Any) -> Any:
        """Some stations tell their AuthorizationKey."""
        if action != "GetConfiguration" or not isinstance(response, dict):
            return response
        listed = response.get("configurationKey")
        if not isinstance(listed, list) or not any(_is_secret(item) for item in listed):
            return response
        masked = [{**item, "value": MASK} if _is_secret(item) and "value" in item else item for item in listed]
        return {**response, "configurationKey": masked}

    def value_kinds(self, action: str) -> dict[str, str]:
        properties = schemas.SCHEMAS.get(action, {}).get("properties", {})
        return {name: schema.get("type", "") for name, schema in properties.items()}


OCPP16_OPERATIONS = Ocpp16Operations()


def _is_secret(item: Any) -> bool:
    return isinstance(item, dict) and is_secret(item.get("key"))


def _verdict(action: str, status: str, is_yes: bool) -> Verdict:
    if (action, status) in _OUT_OF_STEP:
        return Verdict.OUT_OF_STEP
    if not status:
        return Verdict.ACCEPTED if is_yes else Verdict.UNKNOWN
    words = schemas.status_words(action) if action in schemas.CSMS_INITIATED else frozenset({"Accepted"})
    return VERDICTS.get(status, Verdict.REJECTED) if status in words else Verdict.UNKNOWN


def _to_wire(value: Any, names: Names, left_out: Mapping[str, Any]) -> dict[str, Any]:
    payload: dict[str, Any] = {}
    for name, argument in words_of(value):
        if name in left_out:
            continue
        member = names.members[name]
        path, rule = member if isinstance(member, tuple) else (member, None)
        *objects, last = path.split(".")
        place = payload
        for key in objects:
            place = place.setdefault(key, {})
        place[last] = _wire_value(argument, rule, name)
    return payload


def _wire_value(argument: Any, rule: "Names | Words | Converted | None", name: str) -> Any:
    if rule is None:
        return argument
    if isinstance(rule, Names):
        if isinstance(argument, list):
            return [_to_wire(item, rule, {}) for item in argument]
        return _to_wire(argument, rule, {})
    if isinstance(rule, Words):
        if argument not in rule.wire:
            raise Unsayable(f"{TITLE} has no word for {name} {argument!r}")
        return rule.wire[argument]
    try:
        return rule.to_wire(argument)
    except ValueError as error:
        raise Unsayable(str(error)) from None


def _from_wire(payload: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """Return arguments by name.

    :raises KeyError: a member or a word that is not in the tables. :raises ValueError: a value that cannot be read.
    :raises TypeError: no object where one is wanted.
    """
    if not isinstance(payload, Mapping):
        raise TypeError("not an object")
    arguments: dict[str, Any] = {}
    seen = 0
    for name, member in names.members.items():
        path, rule = member if isinstance(member, tuple) else (member, None)
        *objects, last = path.split(".")
        place: Any = payload
        for key in objects:
            place = place.get(key, {})
        if not isinstance(place, Mapping):
            raise TypeError("not an object")
        if last in place:
            seen += 1
            arguments[name] = place[last] if name in FRACTIONS else _read(place[last], rule)
    if seen != _count(payload, names):
        raise KeyError("a member that no table names")
    return arguments


def _count(payload: Mapping[str, Any], names: Names) -> int:
    """Return how many members a payload has, those of its flattened objects counted one by one."""
    paths = [member[0] if isinstance(member, tuple) else member for member in names.members.values()]
    flattened = {path.partition(".")[0] for path in paths if "." in path}
    return sum(len(value) if key in flattened else 1 for key, value in payload.items())


def _read(value: Any, rule: "Names | Words | Converted | None") -> Any:
    if isinstance(rule, Names):
        return [_from_wire(item, rule) for item in value] if isinstance(value, list) else _from_wire(value, rule)
    if isinstance(rule, Words):
        return {wire: ours for ours, wire in rule.wire.items()}[value]
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # the security extension's schemas take 7.0 for an integer
    return value if rule is None else rule.from_wire(value)


def _renamed(value: Any, names: "str | Names | Words | Converted | None") -> Any:
    """Return what a station told in our words; what is not as specified stays as it came."""
    if not isinstance(names, Names):
        return value
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    ours: dict[str, tuple[str, Any]] = {}
    for name, member in names.members.items():
        path, rule = member if isinstance(member, tuple) else (member, None)
        ours[path] = name, rule
    told = {}
    for key, item in value.items():
        name, rule = ours.get(key, (key, None))
        told[name] = _renamed(item, rule)
    return told
