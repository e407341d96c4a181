"""Broken JSON as some chargers send it, and how each kind is put right.

A repair returns the text unchanged where it does not apply, and counts only if what it leaves parses. Each is linear
in the length of the text.
"""

import re
from collections.abc import Callable

import orjson

from evcharging.gateway.ocppj.json_text import REPLACEMENT

# An unfinished text matches to the end of the frame: it must not be tried again from each quote within.
_STRING = r'"(?:[^"\\]++|\\.)*+"?+'
_CONTROL = re.compile(r"[\x00-\x1f]")
_STRING_OR_CONTROL = re.compile(_STRING + r"|[\x00-\x08\x0b\x0c\x0e-\x1f]", re.DOTALL)
_STRING_OR_NO_VALUE = re.compile(_STRING + r"|:(?=\s{0,8}+[,}])", re.DOTALL)
_STRING_OR_NO_ELEMENT = re.compile(_STRING + r"|(?<=[\[{])\s{0,8}+,|,(?=\s{0,8}+[\]}])", re.DOTALL)
_STRING_OR_BRACKET = re.compile(_STRING + r"|[\[\]{}]", re.DOTALL)
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD](?P<half>[89a-fA-F])[0-9a-fA-F]{2}|.)",
    re.DOTALL,
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_MESSAGE_ID = re.compile(
    r'\ufeff?\s{0,8}\[\s{0,8}[234]\s{0,8},\s{0,8}("(?:[^"\\\x00-\x1f]|\\.){0,255}"|-?\d{1,18}(?:\.\d{1,9})?)\s{0,8},',
    re.ASCII,
)
_ANSWER = re.compile(r"\ufeff?\s{0,8}\[\s{0,8}[34]\s{0,8},", re.ASCII)

MAX_MISSING_BRACKETS = 8


def byte_order_mark(text: str) -> str:
    """Some C# and Windows stacks put U+FEFF before the frame."""
    return text.removeprefix("\ufeff")


def lone_surrogate(text: str) -> str:
    """`"\\ud800"`: half an emoji, cut by a buffer; no UTF-8 text can hold it."""
    text = _SURROGATE.sub(REPLACEMENT, text)
    return _ESCAPE.sub(lambda match: "\\ufffd" if match["half"] else match[0], text)


def control_character(text: str) -> str:
    """Wallbe sends raw NUL bytes; others raw newlines and escapes inside their texts.

    In a text they are escaped, so nothing gets lost; elsewhere they are dropped.
    """
    return _STRING_OR_CONTROL.sub(
        lambda match: _CONTROL.sub(_escaped, match[0]) if match[0].startswith('"') else "", text
    )


def missing_value(text: str) -> str:
    """AEFA sends `"transactionId":,` while it has none (lbbrhzn#2032); it becomes null."""
    return _STRING_OR_NO_VALUE.sub(lambda match: match[0] if match[0].startswith('"') else ":null", text)


def missing_element(text: str) -> str:
    """ZJ Beny begins its samples with a comma: `"sampledValue":[,{…}]` (lbbrhzn#1078); others end lists with one."""
    return _STRING_OR_NO_ELEMENT.sub(lambda match: match[0] if match[0].startswith('"') else "", text)


def missing_brackets(text: str) -> str:
    """Grizzl-E leaves out the closing brackets at the end (lbbrhzn#176).

    Only where the last thing sent is whole: a frame that ends within a value or between two stays broken, because half
    a register reading is a wrong one.
    """
    text = text.rstrip()
    if not text.endswith(("}", "]")):
        return text
    open_brackets: list[str] = []
    for match in _STRING_OR_BRACKET.finditer(text):
        token = match[0]
        if token in ("[", "{"):
            open_brackets.append("]" if token == "[" else "}")
        elif token[0] == '"':
            if token[-1] != '"':
                return text
        elif not open_brackets or open_brackets.pop() != token:
            return text
    if len(open_brackets) > MAX_MISSING_BRACKETS:
        return text
    return text + "".join(reversed(open_brackets))


REPAIRS: tuple[Callable[[str], str], ...] = (
    byte_order_mark,
    lone_surrogate,
    control_character,
    missing_value,
    missing_element,
    missing_brackets,
)


def readable_id(text: str) -> str | int | float | None:
    """Return the message id at the start of a broken frame, None where there is none to be read."""
    match = _MESSAGE_ID.match(text)
    if match is None:
        return None
    try:
        return orjson.loads(match[1])
    except ValueError:
        return None


def is_unreadable_answer(text: str) -> bool:
    """Return whether a broken frame is a CALLRESULT or CALLERROR, which is never answered."""
    return _ANSWER.match(text) is not None


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
