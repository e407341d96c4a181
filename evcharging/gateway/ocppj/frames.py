"""OCPP-J framing (OCPP-J 1.6 §4): text in, one of six kinds of frame out; nothing a charger sends raises."""

from typing import Any, NamedTuple

import orjson

from evcharging.gateway.ocppj.deviations import Applied, note
from evcharging.gateway.ocppj.error_codes import OCPP16_CODES, ErrorCodes
from evcharging.gateway.ocppj.json_repairs import REPAIRS, is_unreadable_answer, readable_id
from evcharging.gateway.ocppj.json_text import REPLACEMENT, json_text

CALL, CALLRESULT, CALLERROR = 2, 3, 4
MAX_DESCRIPTION = 255
MAX_MESSAGE_ID = 36
MAX_DEPTH = 100
MAX_REPAIRED = 65_536
"""Longer frames are not repaired: no charger's broken one is, and repairs hold up everybody else."""

UniqueId = str | int | float


class Call(NamedTuple):
    """`[2, id, action, payload]`. `deviations`: how the frame had to be repaired to be read."""

    unique_id: UniqueId
    action: str
    payload: dict[str, Any]
    deviations: tuple[Applied, ...] = ()


class CallResult(NamedTuple):
    """`[3, id, payload]`. `deviations`: how it had to be read."""

    unique_id: UniqueId
    payload: Any
    deviations: tuple[Applied, ...] = ()


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


class BrokenAnswer(NamedTuple):
    """What was meant to be an answer and is not JSON; nothing is ever sent back for it."""

    unique_id: UniqueId | None
    code: str
    description: str


class Ignored(NamedTuple):
    """What 1.6 tells us to ignore: empty frames, unknown message types, answers nobody can read."""

    reason: str


Frame = Call | CallResult | CallError | Malformed | BrokenAnswer | Ignored


def parse(text: str, codes: ErrorCodes = OCPP16_CODES) -> Frame:
    """Return what a text frame is. Never raises, in time linear in the frame's length.

    What it returns can be stored: no text but the message id holds NUL or half a surrogate pair, no number is beyond
    64 bits or infinite, nothing is nested deeper than 100.
    """
    try:
        frame = orjson.loads(text)
    except ValueError:
        return _parse_broken(text, codes)
    # The usual CALL, by the cheapest checks; all else is looked at below.
    if (
        frame.__class__ is list
        and len(frame) == 4
        and frame[0] == CALL
        and frame[1].__class__ is str
        and len(frame[1]) <= MAX_MESSAGE_ID
        and frame[2].__class__ is str
        and frame[3].__class__ is dict
        and "\\u0000" not in text
        and (len(text) < 2 * MAX_DEPTH or not _may_be_deep(text))
    ):
        return Call(frame[1], frame[2], frame[3])
    return _frame(frame, text, (), codes)


def call(unique_id: UniqueId, action: str, payload: Any) -> str:
    """Return the text of a CALL."""
    return orjson.dumps([CALL, unique_id, action, payload]).decode()


def call_result(unique_id: UniqueId, payload: Any) -> str:
    """Return the text of a CALLRESULT."""
    return orjson.dumps([CALLRESULT, unique_id, payload]).decode()


def call_error(unique_id: UniqueId, code: str, description: str = "", details: Any = None) -> str:
    """Return the text of a CALLERROR; the description is cut to 255 characters, no details are `{}`."""
    return orjson.dumps([CALLERROR, unique_id, code, description[:MAX_DESCRIPTION], details or {}]).decode()


def _frame(frame: Any, text: str, deviations: tuple[Applied, ...], codes: ErrorCodes) -> Frame:
    if not isinstance(frame, list) or not frame:
        return Malformed(None, codes.formation, "not a JSON array")
    if _may_be_deep(text) and _is_too_deep(frame):
        kind = BrokenAnswer if is_unreadable_answer(text) else Malformed
        return kind(readable_id(text), codes.formation, f"nested deeper than {MAX_DEPTH}")
    kind = frame[0]
    if isinstance(kind, bool) or kind not in (CALL, CALLRESULT, CALLERROR):
        return Ignored(f"message type {str(kind)[:20]}")
    unique_id = frame[1] if len(frame) > 1 else None
    is_readable = isinstance(unique_id, str | int | float) and not isinstance(unique_id, bool)
    if kind == CALL:
        if not is_readable:
            return Malformed(None, codes.formation, "no readable message id")
        return _call(unique_id, frame, text, deviations, codes)
    if not is_readable:
        return Ignored("an answer without a readable message id")
    return _answer(unique_id, kind, _without_nul(frame[2:]) if "\\u0000" in text else frame[2:])


def _call(
    unique_id: Any, frame: list[Any], text: str, deviations: tuple[Applied, ...], codes: ErrorCodes
) -> Call | Malformed:
    if len(frame) != 4:
        return Malformed(unique_id, codes.formation, f"a CALL has 4 elements, not {len(frame)}")
    action, payload = frame[2], frame[3]
    if not isinstance(action, str):
        return Malformed(unique_id, codes.formation, "the action is not a text")
    if payload is None:
        payload = {}  # an empty payload may be null (OCPP-J 1.6 §4.2.1)
    elif not isinstance(payload, dict):
        return Malformed(unique_id, codes.type, "the payload is not an object")
    if not isinstance(unique_id, str):
        deviations = (*deviations, Applied("message_id_not_text", "", str(unique_id)[:200]))
    elif len(unique_id) > MAX_MESSAGE_ID:
        deviations = (*deviations, Applied("message_id_too_long", "", unique_id[:200]))
    if "\\u0000" in text:
        payload = _without_nul(payload)
        deviations = (*deviations, Applied("nul_character", "", text[:200]))
    return Call(unique_id, action, payload, deviations)


def _answer(unique_id: Any, kind: int, rest: list[Any]) -> CallResult | CallError | Ignored:
    if kind == CALLRESULT:
        payload = rest[0] if rest and rest[0] is not None else {}
        deviations = () if len(rest) == 1 else (Applied("answer_of_wrong_length", "", json_text(rest)[:200]),)
        return CallResult(unique_id, payload, deviations)
    if 1 <= len(rest) <= 3:
        # Grizzl-E leaves the details out: [4,"…","FormationViolation",""].
        code, description, details = [*rest, "", {}, {}][:3]
        return CallError(unique_id, str(code), str(description), details)
    return Ignored("a CALLERROR of wrong length")


def _parse_broken(text: str, codes: ErrorCodes) -> Frame:
    """Read what is not JSON: with each named repair in turn, else refused under its id."""
    if not text.strip("\ufeff \t\r\n\x00"):
        return Ignored("empty")
    deviations: list[Applied] = []
    repaired = text
    for repair in REPAIRS if len(text) <= MAX_REPAIRED else ():
        changed = repair(repaired)
        if changed == repaired:
            continue
        repaired = changed
        note(deviations, repair.__name__, "", text)
        try:
            return _frame(orjson.loads(repaired), repaired, tuple(deviations), codes)
        except ValueError:
            continue
    if is_unreadable_answer(text):
        return BrokenAnswer(readable_id(text), codes.formation, "not JSON")
    return Malformed(readable_id(text), codes.formation, "not JSON")


def _may_be_deep(text: str) -> bool:
    return text.count("[") + text.count("{") > MAX_DEPTH


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


def _without_nul(value: Any) -> Any:
    """Replace NUL, which no column holds, in texts and keys; no id tag matches what stands for it."""
    if isinstance(value, str):
        return value.replace("\x00", REPLACEMENT)
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(item) for key, item in value.items()}
    return value
