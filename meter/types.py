"""Sampled values in canonical units, and their text in the station's units."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple


class Reading(NamedTuple):
    """One sampled value (OCPP 1.6 §7.43) with the defaults filled in.

    `unit` is the station's unit, `value` the number in the canonical unit of its quantity (see UNITS), None where the
    text is no usable number or is signed. `raw` is "" where `reported_text(value, unit)` is what the station sent,
    else exactly what it sent. `phase` is "" for none; `reported_at` is aware UTC, None where absent or unreadable.
    """

    reported_at: datetime | None
    measurand: str
    phase: str
    location: str
    context: str
    format: str
    unit: str
    value: float | None
    raw: str


class Unit(NamedTuple):
    """A unit that stations report: its canonical unit, and the power of ten between them."""

    canonical: str
    exponent: int


UNITS = {
    "Wh": Unit("Wh", 0),
    "kWh": Unit("Wh", 3),
    "MWh": Unit("Wh", 6),
    "varh": Unit("varh", 0),
    "kvarh": Unit("varh", 3),
    "VAh": Unit("VAh", 0),
    "kVAh": Unit("VAh", 3),
    "W": Unit("W", 0),
    "kW": Unit("W", 3),
    "MW": Unit("W", 6),
    "var": Unit("var", 0),
    "kvar": Unit("var", 3),
    "VA": Unit("VA", 0),
    "kVA": Unit("VA", 3),
    "A": Unit("A", 0),
    "mA": Unit("A", -3),
    "V": Unit("V", 0),
    "mV": Unit("V", -3),
    "Celsius": Unit("Celsius", 0),
    "K": Unit("Celsius", 0),
    "Fahrenheit": Unit("Celsius", 0),
    "Percent": Unit("Percent", 0),
    "Hz": Unit("Hz", 0),
}
"""Units by the station's word; values of any other unit are kept as they are.

K and Fahrenheit have another zero: their values are in Celsius, and their raw text is always kept.
"""


def reported_text(value: float, unit: str) -> str:
    """Return a canonical value as a plain decimal in the station's unit: (12340.0, "kWh") is 12.34.

    It is what the station sent wherever a reading's raw text is empty.
    """
    known = UNITS.get(unit)
    number = Decimal(repr(value)).scaleb(-known.exponent if known else 0)
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
