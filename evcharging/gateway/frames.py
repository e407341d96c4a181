"""OCPP-J framing (OCPP-J 1.6 §4): text in, one of five kinds of frame out; nothing a charger sends raises."""

import json
import re
from math import isfinite
from typing import Any, NamedTuple

import orjson

from evcharging.gateway.deviations import Applied
from evcharging.gateway.schemas import FORMATION, TYPE

CALL, CALLRESULT, CALLERROR = 2, 3, 4
MAX_DESCRIPTION = 255
MAX_MESSAGE_ID = 36
MAX_REPAIRED = 65_536
MAX_NUMBER_DIGITS = 400
MAX_DEPTH = 100

UniqueId = str | int | float


class Call(NamedTuple):
    """`[2, id, action, payload]`. `deviations`: how the frame had to be repaired to be read."""

    unique_id: UniqueId
    action: str
    payload: dict[str, Any]
    deviations: tuple[Applied, ...] = ()


class CallResult(NamedTuple):
    """`[3, id, payload]`."""

    unique_id: UniqueId
    payload: Any


class CallError(NamedTuple):
    """`[4, id, code, description, details]`."""

    unique_id: UniqueId
    code: str
    description: str
    details: Any


class Malformed(NamedTuple):
    """What is no frame; answered with a CALLERROR where the id is readable (not None)."""

    unique_id: UniqueId | None
    code: str
    description: str


class Ignored(NamedTuple):
    """What 1.6 tells us to ignore: empty frames, unknown message types, answers nobody can read."""

    reason: str


Frame = Call | CallResult | CallError | Malformed | Ignored


def parse(text: str) -> Frame:
    """Return what a text frame is."""
    try:
        return _frame(orjson.loads(text), text, ())
    except ValueError:
        return _parse_broken(text)


def call(unique_id: UniqueId, action: str, payload: Any) -> str:
    return orjson.dumps([CALL, unique_id, action, payload]).decode()


def call_result(unique_id: UniqueId, payload: Any) -> str:
    return orjson.dumps([CALLRESULT, unique_id, payload]).decode()


def call_error(unique_id: UniqueId, code: str, description: str = "", details: Any = None) -> str:
    return orjson.dumps([CALLERROR, unique_id, code, description[:MAX_DESCRIPTION], details or {}]).decode()


def _frame(frame: Any, text: str, deviations: tuple[Applied, ...]) -> Frame:
    if not isinstance(frame, list) or not frame:
        return Malformed(None, FORMATION, "not a JSON array")
    if text.count("[") + text.count("{") > MAX_DEPTH and _is_too_deep(frame):
        return Malformed(_readable_id(text), FORMATION, f"nested deeper than {MAX_DEPTH}")
    kind = frame[0]
    if isinstance(kind, bool) or kind not in (CALL, CALLRESULT, CALLERROR):
        return Ignored(f"message type {str(kind)[:20]}")
    unique_id = frame[1] if len(frame) > 1 else None
    is_readable = isinstance(unique_id, str | int | float) and not isinstance(unique_id, bool)
    if kind == CALL:
        if not is_readable:
            return Malformed(None, FORMATION, "no readable message id")
        return _call(unique_id, frame, text, deviations)
    if not is_readable:
        return Ignored("an answer without a readable message id")
    if kind == CALLRESULT:
        return CallResult(unique_id, frame[2]) if len(frame) == 3 else Ignored("a CALLRESULT of wrong length")
    if 3 <= len(frame) <= 5:
        code, description, details = [*frame[2:], "", {}, {}][:3]
        return CallError(unique_id, str(code), str(description), details)
    return Ignored("a CALLERROR of wrong length")


def _call(unique_id: Any, frame: list[Any], text: str, deviations: tuple[Applied, ...]) -> Call | Malformed:
    if len(frame) != 4:
        return Malformed(unique_id, FORMATION, f"a CALL has 4 elements, not {len(frame)}")
    action, payload = frame[2], frame[3]
    if not isinstance(action, str):
        return Malformed(unique_id, FORMATION, "the action is not a text")
    if payload is None:
        payload = {}  # an empty payload may be null (OCPP-J 1.6 §4.2.1)
    elif not isinstance(payload, dict):
        return Malformed(unique_id, TYPE, "the payload is not an object")
    if not isinstance(unique_id, str):
        deviations = (*deviations, Applied("message_id_not_text", "", str(unique_id)[:200]))
    elif len(unique_id) > MAX_MESSAGE_ID:
        deviations = (*deviations, Applied("message_id_too_long", "", unique_id[:200]))
    if "\\u0000" in text:
        payload = _without_nul(payload)
        deviations = (*deviations, Applied("nul_character", "", text[:200]))
    return Call(unique_id, action, payload, deviations)


_UNIQUE_ID = re.compile(r'\s*\[\s*2\s*,\s*("(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]){0,255}"|-?\d{1,18})\s*,')


def _parse_broken(text: str) -> Frame:
    """Read what is not JSON: repaired if a named repair makes it JSON, else refused under its id."""
    stripped = text.strip("\ufeff \t\r\n\x00")
    if not stripped:
        return Ignored("empty")
    if len(stripped) <= MAX_REPAIRED:
        repaired = stripped
        names: list[str] = []
        for repair in _REPAIRS:
            changed = repair(repaired)
            if changed == repaired and names:
                continue
            repaired, names = changed, [*names, repair.__name__.strip("_")]
            frame = _loads(repaired)
            if frame is not None:
                name = "broken_json" if repaired == stripped else names[-1]
                return _frame(frame, repaired, (Applied(name, "", text[:200]),))
    return Malformed(_readable_id(stripped), FORMATION, "not JSON")


def _readable_id(text: str) -> UniqueId | None:
    """Return the message id at the beginning of a CALL that is otherwise unreadable."""
    match = _UNIQUE_ID.match(text)
    found: UniqueId | None = None if match is None else json.loads(match[1])
    return found


def _is_too_deep(frame: list[Any]) -> bool:
    level: list[Any] = [frame]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for item in level
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def _as_it_is(text: str) -> str:
    """Lone surrogates, control characters in strings, a byte order mark: JSON to a lenient reader."""
    return text


def _raw_nul(text: str) -> str:
    """Raw NUL bytes between and in the tokens (Wallbe)."""
    return text.replace("\x00", "")


def _stray_comma(text: str) -> str:
    """A comma after an opening or before a closing bracket (ZJ Beny sends `[,{`)."""
    return re.sub(r",\s*([\]}])", r"\1", re.sub(r"([\[{])\s*,", r"\1", text))


def _missing_value(text: str) -> str:
    """A key without a value (AEFA sends `"transactionId":,`)."""
    return re.sub(r'("\s*:)\s*(?=[,}])', r"\1null", text)


def _missing_brackets(text: str) -> str:
    """A frame cut within its closing brackets (Grizzl-E); one that is cut within a value stays broken."""
    if text[-1] not in "}]":
        return text
    closers: list[str] = []
    in_string = escaped = False
    for character in text:
        if escaped:
            escaped = False
        elif in_string:
            if character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            closers.append("]" if character == "[" else "}")
        elif character in "]}":
            if not closers or closers.pop() != character:
                return text
    return text + "".join(reversed(closers)) if len(closers) <= 8 else text


_REPAIRS = (_as_it_is, _raw_nul, _stray_comma, _missing_value, _missing_brackets)


def _loads(text: str) -> Any:
    """Parse leniently, within bounds: no NaN, no number beyond a double, no depth beyond Python's; None if it fails."""
    try:
        loaded = json.loads(text, strict=False, parse_constant=_refuse, parse_int=_integer, parse_float=_real)
        return _without_surrogates(loaded)
    except (ValueError, RecursionError):
        return None


def _refuse(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _integer(text: str) -> int | float:
    if len(text) > MAX_NUMBER_DIGITS:
        raise ValueError("a number of too many digits")
    number = int(text)
    return number if -(2**63) <= number < 2**64 else _real(text)


def _real(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError("a number out of range")
    return number


def _without_surrogates(value: Any) -> Any:
    """Half a character can be encoded by nobody (OCPP-J is UTF-8)."""
    return _mapped(value, lambda text: text.encode("utf-8", "replace").decode() if not text.isascii() else text)


def _without_nul(value: Any) -> Any:
    """NUL can be stored nowhere; its picture can, and no id tag matches it."""
    return _mapped(value, lambda text: text.replace("\x00", "␀"))


def _mapped(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_mapped(item, change) for item in value]
    if isinstance(value, dict):
        return {change(key): _mapped(item, change) for key, item in value.items()}
    return value
