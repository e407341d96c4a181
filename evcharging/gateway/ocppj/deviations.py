"""What a charger got wrong and which rule put it right."""

from typing import Any, NamedTuple

from evcharging.gateway.ocppj.json_text import REPLACEMENT, json_text

MOST_PER_MESSAGE = 50
SAMPLE_LENGTH = 200
FIELD_LENGTH = 200


class Applied(NamedTuple):
    """One rule applied to one field of one message.

    `rule` is the name of a function or repair. `field` is a path such as meterValue[].sampledValue[].unit. `sample` is
    the raw text, at most 200 characters.
    """

    rule: str
    field: str
    sample: str


def note(applied: list[Applied], rule: str, field: str, sample: Any) -> None:
    """Add a deviation once per rule and field; a message full of them keeps the first 50."""
    field = field[:FIELD_LENGTH]
    if len(applied) >= MOST_PER_MESSAGE or any(one.field == field and one.rule == rule for one in applied):
        return
    text = sample if isinstance(sample, str) else json_text(sample)
    applied.append(Applied(rule, _storable(field), _storable(text[:SAMPLE_LENGTH])))


def _storable(text: str) -> str:
    return text.replace("\x00", REPLACEMENT).encode("utf-8", "replace").decode()
