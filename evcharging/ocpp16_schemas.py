"""The JSON schemas of OCPP 1.6 and its security extension, as the `ocpp` package ships them, compiled."""

import json
from importlib.resources import files
from typing import Any, NamedTuple

import jsonschema_rs

CHARGER_INITIATED = frozenset(
    {
        "Authorize", "BootNotification", "DataTransfer", "DiagnosticsStatusNotification", "FirmwareStatusNotification",
        "Heartbeat", "LogStatusNotification", "MeterValues", "SecurityEventNotification", "SignCertificate",
        "SignedFirmwareStatusNotification", "StartTransaction", "StatusNotification", "StopTransaction",
    }
)  # fmt: skip
"""OCPP 1.6 §4 and the security white paper. DataTransfer goes both ways."""

FORMATION, OCCURENCE = "FormationViolation", "OccurenceConstraintViolation"
TYPE, PROPERTY = "TypeConstraintViolation", "PropertyConstraintViolation"
# The spelling is normative (OCPP-J 1.6 errata).
_CODES = {"required": OCCURENCE, "minItems": OCCURENCE, "maxItems": OCCURENCE, "type": TYPE}
_CODES |= {"additionalProperties": FORMATION}


class SchemaError(NamedTuple):
    """Why a payload fails: a 1.6 CALLERROR code, where (`meterValue[].sampledValue`), and in words."""

    code: str
    field: str
    message: str


def _load() -> dict[str, dict[str, Any]]:
    # Found without importing ocpp.v16, which brings a client and a second validator along.
    folder = files("ocpp") / "v16" / "schemas"
    texts = {path.name: path.read_text(encoding="utf-8-sig") for path in folder.iterdir()}
    return {name.removesuffix(".json"): _resolved(json.loads(text)) for name, text in sorted(texts.items())}


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Put definitions where they are referred to, so that a schema can be read from the top down."""
    definitions = schema.pop("definitions", {})

    def resolve(part: Any) -> Any:
        if isinstance(part, list):
            return [resolve(item) for item in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            return resolve(definitions[part["$ref"].removeprefix("#/definitions/")])
        return {key: resolve(item) for key, item in part.items()}

    resolved: dict[str, Any] = resolve(schema)
    return resolved


def _is_ours(name: str) -> bool:
    """Whether we send messages of this schema: their times are checked; chargers' times are read leniently later."""
    return (name.removesuffix("Response") in CHARGER_INITIATED) == name.endswith("Response")


SCHEMAS = _load()
_VALIDATORS = {
    name: jsonschema_rs.validator_for(schema, validate_formats=_is_ours(name), mask="the value")
    for name, schema in SCHEMAS.items()
}
CSMS_INITIATED = frozenset(name for name in SCHEMAS if not name.endswith("Response")) - (
    CHARGER_INITIATED - {"DataTransfer"}
)


def is_known(action: str) -> bool:
    """Whether OCPP 1.6 has such an Action, whoever sends it."""
    return action in CHARGER_INITIATED or action in CSMS_INITIATED


def is_valid_request(action: str, payload: Any) -> bool:
    """Whether the payload of a CALL is as specified; says so in a microsecond, and of any payload fast."""
    return bool(_VALIDATORS[action].is_valid(payload))


def request_error(action: str, payload: Any) -> SchemaError | None:
    """Return what is wrong with the payload of a CALL, None if nothing is.

    :raises KeyError: an Action that OCPP 1.6 does not have.
    """
    return _error(action, payload)


def response_error(action: str, payload: Any) -> SchemaError | None:
    """Return what is wrong with the payload of a CALLRESULT, None if nothing is.

    :raises KeyError: an Action that OCPP 1.6 does not have.
    """
    return _error(action + "Response", payload)


def _error(name: str, payload: Any) -> SchemaError | None:
    validator = _VALIDATORS[name]
    if validator.is_valid(payload):
        return None
    try:
        error = next(validator.iter_errors(payload))
    except ValueError:
        # Nested deeper than its error messages go.
        return SchemaError(FORMATION, "", "the payload is nested too deep")
    keyword = str(error.schema_path[-1])
    return SchemaError(_CODES.get(keyword, PROPERTY), field_path(error.instance_path), error.message[:255])


def status_words(action: str) -> frozenset[str]:
    """Return the status words that an answer to this Action may carry; none where it carries no status."""
    status = SCHEMAS[action + "Response"].get("properties", {}).get("status", {})
    return frozenset(status.get("enum", ()))


def field_path(path: list[str | int]) -> str:
    """Return a path without list indexes: `meterValue[].sampledValue[].unit`."""
    text = ""
    for part in path:
        text += "[]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")
