"""The JSON schemas of OCPP 1.6 and its security extension, as the `ocpp` package ships them, compiled."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema_rs
import ocpp.v16

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
    folder = Path(ocpp.v16.__file__).parent / "schemas"
    return {path.stem: json.loads(path.read_text(encoding="utf-8-sig")) for path in sorted(folder.glob("*.json"))}


SCHEMAS = _load()
_VALIDATORS = {name: jsonschema_rs.validator_for(schema) for name, schema in SCHEMAS.items()}
CSMS_INITIATED = frozenset(name for name in SCHEMAS if not name.endswith("Response")) - (
    CHARGER_INITIATED - {"DataTransfer"}
)


def is_known(action: str) -> bool:
    """Whether OCPP 1.6 has such an Action, whoever sends it."""
    return action in CHARGER_INITIATED or action in CSMS_INITIATED


def request_error(action: str, payload: Any) -> SchemaError | None:
    """Return what is wrong with the payload of a CALL, None if nothing is."""
    return _error(action, payload)


def response_error(action: str, payload: Any) -> SchemaError | None:
    """Return what is wrong with the payload of a CALLRESULT, None if nothing is."""
    return _error(action + "Response", payload)


def _error(name: str, payload: Any) -> SchemaError | None:
    validator = _VALIDATORS[name]
    if validator.is_valid(payload):
        return None
    error = next(validator.iter_errors(payload))
    keyword = str(error.schema_path[-1])
    return SchemaError(_CODES.get(keyword, PROPERTY), field_path(error.instance_path), error.message[:255])


def field_path(path: list[str | int]) -> str:
    """Return a path without list indexes: `meterValue[].sampledValue[].unit`."""
    text = ""
    for part in path:
        text += "[]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")
