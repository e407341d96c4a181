"""Units as they are shown."""

from meter.types import UNITS

SYMBOLS = {"Celsius": "°C", "Percent": "%"}


def symbol(unit: str) -> str:
    """Return the symbol of an OCPP unit; most are symbols already."""
    return SYMBOLS.get(unit, unit)


def canonical_symbol(unit: str) -> str:
    """Return the symbol of the unit into which values of a reported unit are converted (kWh: Wh)."""
    return symbol(UNITS[unit].canonical if unit in UNITS else unit)
