"""Payloads written as words, `type=Soft key=A,B`: each value becomes what OCPP's schema says it is."""

from collections.abc import Iterable
from typing import Any

import orjson

from stations.dialects import dialect_of


class BadWord(ValueError):
    """A word that is no key=value, or whose value is not of the key's type."""


def payload_of(action: str, words: Iterable[str]) -> dict[str, Any]:
    """Return the payload that key=value words mean. JSON is taken where an object or a list is wanted.

    An Action or key that OCPP does not know gets its value as JSON where it is JSON, else as text.

    :raises BadWord:
    """
    kinds = dialect_of("").value_kinds(action)
    payload = {}
    for word in words:
        key, sign, text = word.partition("=")
        if not sign or not key:
            raise BadWord(f"{word!r} is not key=value")
        payload[key] = _value(key, text, kinds.get(key, ""))
    return payload


def _value(key: str, text: str, kind: str) -> Any:
    if kind == "string":
        return text
    if kind == "array" and not text.startswith("["):
        return [part for part in text.split(",") if part]
    try:
        value = orjson.loads(text)
    except ValueError:
        if kind:
            raise BadWord(f"{key}: {text!r} is no {kind}") from None
        return text
    return value
