"""JSON as text: what a charger sent, in a form that can be kept, compared and hashed."""

from typing import Any

import orjson

REPLACEMENT = "\ufffd"
"""Stands for what no text column can hold: NUL and halves of surrogate pairs."""


def json_text(value: Any) -> str:
    """Return the compact JSON text of a parsed value: `123` and `"123"` stay different.

    Control characters are escaped, so the text is storable. What JSON cannot say (it never comes from a frame) is
    written as Python does.
    """
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return ascii(value)


def canonical_json(value: Any) -> bytes:
    """Return one byte string for all spellings of the same JSON value: keys sorted, no spaces."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return ascii(value).encode()
