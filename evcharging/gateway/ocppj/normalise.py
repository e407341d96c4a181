"""What real chargers get wrong, put right and recorded: a payload that fails its schema is read by its schema.

A CALLERROR on StartTransaction, StopTransaction or MeterValues loses billing data, because the charger gives up after
a few tries. So everything that can be understood is understood; each rule that was needed is named in a deviation, and
the text as it came is kept by whoever stores it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any, NamedTuple

from evcharging.gateway.ocppj.aliases import ABSENT, ALIASES, CATCH_ALL, MISSING, OPEN_VOCABULARIES
from evcharging.gateway.ocppj.deviations import Applied, note
from evcharging.gateway.ocppj.json_text import json_text
from evcharging.ocpp16_schemas import OCCURENCE, PROPERTY, SCHEMAS, TYPE, SchemaError, is_valid_request

MAX_INT32 = 2**31 - 1
MAX_INT64 = 2**63 - 1
MAX_ID_TAG = 255
LONGEST_FOLDED_CHARACTER = 3
REGISTERS = frozenset({"meterStart", "meterStop"})
FREE_TEXTS = frozenset({"data", "value"})
ID_TAG_ACTIONS = frozenset({"Authorize", "StartTransaction", "StopTransaction"})


@dataclass(frozen=True, slots=True)
class Quirks:
    """What is known of one station's habits: its zone for naive times, and how it decorates tags."""

    zone: tzinfo = UTC
    id_tag_transform: str = ""


class Received(NamedTuple):
    """A payload that was understood, with the rules it took; or why it could not be (`error`)."""

    payload: dict[str, Any]
    deviations: list[Applied]
    error: SchemaError | None


def receive(action: str, payload: dict[str, Any], quirks: Quirks) -> Received:
    """Return the payload as its schema wants it; the given one is left as it came."""
    deviations: list[Applied] = []
    if not is_valid_request(action, payload):
        try:
            payload = _Reader(action, deviations).read(SCHEMAS[action], payload, "")
        except _NotUnderstood as error:
            return Received(payload, deviations, error.error)
    return _checked(action, payload, quirks, deviations)


def _checked(action: str, payload: dict[str, Any], quirks: Quirks, deviations: list[Applied]) -> Received:
    """Apply what no schema says: ids that no column holds, and a station's own tags."""
    connector_id = payload.get("connectorId")
    if connector_id is not None and not 0 <= connector_id <= MAX_INT32:
        note(deviations, "impossible_connector_id", "connectorId", connector_id)
        if action == "StatusNotification":
            return Received(payload, deviations, SchemaError(PROPERTY, "connectorId", "no such connector"))
        payload = payload | {"connectorId": 0}
    if action in ID_TAG_ACTIONS and "idTag" in payload:
        payload = _with_id_tag(payload, quirks.id_tag_transform, deviations)
    return Received(payload, deviations, None)


def _with_id_tag(payload: dict[str, Any], transform: str, deviations: list[Applied]) -> dict[str, Any]:
    """Read a tag as the station means it: KEBA appends `_serial`, payment terminals send lists with `;`.

    Control characters and backslashes stay: such a tag is unknown, not an error.
    """
    reported = payload["idTag"]
    id_tag = reported.strip()
    if transform == "strip_serial_suffix":
        id_tag = id_tag.partition("_")[0]
    elif transform == "first_of_list":
        id_tag = id_tag.partition(";")[0].strip()
    if len(id_tag) > MAX_ID_TAG // LONGEST_FOLDED_CHARACTER and len(id_tag.casefold()) > MAX_ID_TAG:
        # Cut so that its folded form, which may be three times as long, fits its column too.
        id_tag = id_tag[: MAX_ID_TAG if id_tag.isascii() else MAX_ID_TAG // LONGEST_FOLDED_CHARACTER]
    if not id_tag:
        note(deviations, "empty_id_tag", "idTag", reported)
    elif not id_tag.isprintable():
        note(deviations, "unprintable_id_tag", "idTag", repr(reported))
    elif id_tag != reported:
        note(deviations, f"id_tag_{transform}" if transform else "id_tag_trimmed", "idTag", "…" + id_tag[-4:])
    return payload if id_tag == reported else payload | {"idTag": id_tag}


class _NotUnderstood(Exception):
    """A value that no rule can read, in a place that needs one."""

    def __init__(self, error: SchemaError) -> None:
        self.error = error


class _Reader:
    """Reads one payload by its schema, tolerantly."""

    def __init__(self, action: str, deviations: list[Applied]) -> None:
        self._action = action
        self._deviations = deviations
        self._kinds: dict[str, Callable[[dict[str, Any], Any, str], Any]] = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": self._integer,
            "number": self._number,
            "boolean": self._boolean,
        }

    def read(self, schema: dict[str, Any], value: Any, field: str) -> Any:
        """Return the value as the schema's type.

        :raises _NotUnderstood: no rule makes it one.
        """
        kind = schema.get("type", "object")
        return self._kinds[kind](schema, value, field) if kind in self._kinds else value

    def _note(self, rule: str, field: str, value: Any) -> None:
        note(self._deviations, rule, field, value)

    def _object(self, schema: dict[str, Any], value: Any, field: str) -> dict[str, Any]:
        """An object: unknown keys are left out (evcc#14579), null ones too, missing ones get what they mean."""
        if not isinstance(value, dict):
            raise _NotUnderstood(SchemaError(TYPE, field, "not an object"))
        properties: dict[str, Any] = schema.get("properties", {})
        result: dict[str, Any] = {}
        for key, item in value.items():
            path = f"{field}.{key}".lstrip(".")
            if key not in properties:
                self._note("extra_field", path, item)
            elif item is None:
                self._note("null_field", path, item)
            elif item == "" and properties[key].get("type") != "string":
                # `"reservationId":""` of units that print an empty field rather than leave it out.
                self._note("empty_field", path, item)
            else:
                self._read_item(result, key, properties[key], item, path)
        for key in schema.get("required", ()):
            if key not in result:
                self._fill_in(result, key, f"{field}.{key}".lstrip("."))
        return result

    def _read_item(self, result: dict[str, Any], key: str, schema: dict[str, Any], item: Any, path: str) -> None:
        try:
            result[key] = self.read(schema, item, path)
        except _NotUnderstood as error:
            if error.error.field != path:
                raise
            # It is left out: if it is needed, what a missing one means is used.
            self._note("unreadable_value", path, item)

    def _fill_in(self, result: dict[str, Any], key: str, path: str) -> None:
        """Fill in a required field that is missing, if its absence means something."""
        default = MISSING.get((self._action, path))
        if default is None:
            unreadable = any(note.rule == "unreadable_value" and note.field == path for note in self._deviations)
            raise _NotUnderstood(SchemaError(TYPE if unreadable else OCCURENCE, path, f"{path} is required"))
        self._note("missing_field", path, "")
        if default is not ABSENT:
            result[key] = default

    def _array(self, schema: dict[str, Any], value: Any, field: str) -> list[Any]:
        """A list: one element without the list around it is taken as a list of one; an empty one is fine (Sonnen)."""
        if isinstance(value, dict):
            self._note("element_for_list", field, value)
            value = [value]
        if not isinstance(value, list):
            raise _NotUnderstood(SchemaError(TYPE, field, "not a list"))
        if not value:
            self._note("empty_list", field, value)
        items, result = schema.get("items", {}), []
        for item in value:
            try:
                result.append(self.read(items, item, f"{field}[]"))
            except _NotUnderstood:
                # One bad element costs itself, not the message.
                self._note("unreadable_element", f"{field}[]", item)
        return result

    def _string(self, schema: dict[str, Any], value: Any, field: str) -> str:
        """A text: numbers are taken as they are written (OpenEVSE sends values as numbers).

        Where any text will do, so will the text of any JSON: vendors put objects in DataTransfer's data.
        """
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            if field.rpartition(".")[2] not in FREE_TEXTS:
                raise _NotUnderstood(SchemaError(TYPE, field, "not a text"))
            self._note("json_for_text", field, value)
            value = json_text(value)
        if not isinstance(value, str):
            self._note("number_for_text", field, value)
            value = json_text(value)
        if "enum" in schema:
            return self._word(schema["enum"], value, field)
        if len(value) > schema.get("maxLength", math.inf):
            # The columns are wider than the specification (Schneider, StarCharge).
            self._note("too_long", field, value)
        return value

    def _word(self, words: list[str], value: str, field: str) -> str:
        """A word of a list: case and known misspellings are put right, own words of open lists stay."""
        if value in words:
            return value
        name = field.rpartition(".")[2]
        folded = value.strip().casefold()
        if not folded and name == "reason":
            # Nothing said is not another reason: what a missing one means is used.
            raise _NotUnderstood(SchemaError(PROPERTY, field, "empty"))
        for word in words:
            if word.casefold() == folded:
                self._note("wrong_case", field, value)
                return word
        alias = ALIASES.get((name, folded))
        if alias is not None:
            self._note("misspelt_word", field, value)
            return alias
        self._note("own_word", field, value)
        if name in CATCH_ALL and CATCH_ALL[name] in words:
            return CATCH_ALL[name]
        if name in OPEN_VOCABULARIES:
            return value.strip()
        raise _NotUnderstood(SchemaError(PROPERTY, field, f"{value[:50]} is no {name}"))

    def _integer(self, schema: dict[str, Any], value: Any, field: str) -> int:
        """A whole number: texts and whole fractions are read, registers are cut to Wh; no column overflows.

        No other fraction is: transaction 12.7 is not transaction 12.
        """
        number = self._number(schema, value, field)
        whole = int(number) if isinstance(number, float) else number
        if isinstance(number, float):
            self._note("fraction_for_integer", field, value)
        if whole != number and field not in REGISTERS:
            raise _NotUnderstood(SchemaError(TYPE, field, "not a whole number"))
        if not -MAX_INT64 <= whole <= MAX_INT64:
            raise _NotUnderstood(SchemaError(PROPERTY, field, "out of range"))
        return whole

    def _number(self, schema: dict[str, Any], value: Any, field: str) -> int | float:
        if isinstance(value, str):
            text = value.strip()
            try:
                number = float(text) if text.isascii() and "_" not in text and len(text) <= 40 else math.nan
            except ValueError:
                number = math.nan
            if not math.isfinite(number):
                raise _NotUnderstood(SchemaError(TYPE, field, "not a number"))
            self._note("text_for_number", field, value)
            return int(text) if text.lstrip("+-").isdigit() else number
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _NotUnderstood(SchemaError(TYPE, field, "not a number"))
        return value

    def _boolean(self, schema: dict[str, Any], value: Any, field: str) -> bool:
        if not isinstance(value, bool):
            raise _NotUnderstood(SchemaError(TYPE, field, "not a logical value"))
        return value
