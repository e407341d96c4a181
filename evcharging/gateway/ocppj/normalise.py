"""What real chargers get wrong, put right and recorded: a payload that fails its schema is read by its schema.

A CALLERROR on a message with billing data loses it, because the charger gives up after a few tries. So everything that
can be understood is understood; each rule that was needed is named in a deviation, and the text as it came is kept by
whoever stores it. A protocol version brings its schemas and words along (Vocabulary).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any, Final, NamedTuple

from evcharging.gateway.ocppj.deviations import Applied, note
from evcharging.gateway.ocppj.error_codes import ErrorCodes
from evcharging.gateway.ocppj.json_text import json_text
from evcharging.ocpp16_schemas import SchemaError

MAX_INT64 = 2**63 - 1
ABSENT: Final = object()
"""The field stays absent: whoever reads the payload knows what that means."""


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


class Vocabulary(NamedTuple):
    """The schemas and words of one protocol version, and what its chargers say instead.

    `aliases`: (field, folded word) → the specification's word. `catch_all`: fields whose list has a word for all else.
    `open_vocabularies`: fields where an own word is worth more than none. `missing`: (action, path) of required fields
    whose absence means something. `registers`: integers whose fraction may be cut. `free_texts`: fields that take any
    JSON as text.
    """

    schemas: Mapping[str, dict[str, Any]]
    is_valid: Callable[[str, Any], bool]
    codes: ErrorCodes
    aliases: Mapping[tuple[str, str], str]
    catch_all: Mapping[str, str]
    open_vocabularies: frozenset[str]
    missing: Mapping[tuple[str, str], Any]
    registers: frozenset[str]
    free_texts: frozenset[str]


def read_payload(action: str, payload: dict[str, Any], vocabulary: Vocabulary) -> Received:
    """Return the payload as its schema wants it; the given one is left as it came."""
    deviations: list[Applied] = []
    if not vocabulary.is_valid(action, payload):
        try:
            payload = _Reader(action, deviations, vocabulary).read(vocabulary.schemas[action], payload, "")
        except _NotUnderstood as error:
            return Received(payload, deviations, error.error)
    return Received(payload, deviations, None)


class _NotUnderstood(Exception):
    """A value that no rule can read, in a place that needs one."""

    def __init__(self, error: SchemaError) -> None:
        self.error = error


class _Reader:
    """Reads one payload by its schema, tolerantly."""

    def __init__(self, action: str, deviations: list[Applied], vocabulary: Vocabulary) -> None:
        self._action = action
        self._vocabulary, self._codes = vocabulary, vocabulary.codes
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
            raise _NotUnderstood(SchemaError(self._codes.type, field, "not an object"))
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
        default = self._vocabulary.missing.get((self._action, path))
        if default is None:
            unreadable = any(note.rule == "unreadable_value" and note.field == path for note in self._deviations)
            raise _NotUnderstood(
                SchemaError(self._codes.type if unreadable else self._codes.occurrence, path, f"{path} is required")
            )
        self._note("missing_field", path, "")
        if default is not ABSENT:
            result[key] = default

    def _array(self, schema: dict[str, Any], value: Any, field: str) -> list[Any]:
        """A list: one element without the list around it is taken as a list of one; an empty one is fine (Sonnen)."""
        if isinstance(value, dict):
            self._note("element_for_list", field, value)
            value = [value]
        if not isinstance(value, list):
            raise _NotUnderstood(SchemaError(self._codes.type, field, "not a list"))
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
            if field.rpartition(".")[2] not in self._vocabulary.free_texts:
                raise _NotUnderstood(SchemaError(self._codes.type, field, "not a text"))
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
            raise _NotUnderstood(SchemaError(self._codes.property, field, "empty"))
        for word in words:
            if word.casefold() == folded:
                self._note("wrong_case", field, value)
                return word
        alias = self._vocabulary.aliases.get((name, folded))
        if alias is not None:
            self._note("misspelt_word", field, value)
            return alias
        self._note("own_word", field, value)
        if name in self._vocabulary.catch_all and self._vocabulary.catch_all[name] in words:
            return self._vocabulary.catch_all[name]
        if name in self._vocabulary.open_vocabularies:
            return value.strip()
        raise _NotUnderstood(SchemaError(self._codes.property, field, f"{value[:50]} is no {name}"))

    def _integer(self, schema: dict[str, Any], value: Any, field: str) -> int | float:
        """A whole number: texts and whole fractions are read, a register keeps its fraction; no column overflows.

        No other fraction is read: transaction 12.7 is not transaction 12.
        """
        number = self._number(schema, value, field)
        whole = int(number) if isinstance(number, float) else number
        if isinstance(number, float):
            self._note("fraction_for_integer", field, value)
        if not -MAX_INT64 <= whole <= MAX_INT64:
            raise _NotUnderstood(SchemaError(self._codes.property, field, "out of range"))
        if whole == number:
            return whole
        if field not in self._vocabulary.registers:
            raise _NotUnderstood(SchemaError(self._codes.type, field, "not a whole number"))
        return number

    def _number(self, schema: dict[str, Any], value: Any, field: str) -> int | float:
        if isinstance(value, str):
            text = value.strip()
            try:
                number = float(text) if text.isascii() and "_" not in text and len(text) <= 40 else math.nan
            except ValueError:
                number = math.nan
            if not math.isfinite(number):
                raise _NotUnderstood(SchemaError(self._codes.type, field, "not a number"))
            self._note("text_for_number", field, value)
            return int(text) if text.lstrip("+-").isdigit() else number
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _NotUnderstood(SchemaError(self._codes.type, field, "not a number"))
        return value

    def _boolean(self, schema: dict[str, Any], value: Any, field: str) -> bool:
        if not isinstance(value, bool):
            raise _NotUnderstood(SchemaError(self._codes.type, field, "not a logical value"))
        return value
