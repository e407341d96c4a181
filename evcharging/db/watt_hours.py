"""Watt-hours: a decimal column for registers and energies with three decimals, and its rounding."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.db import models

MAX_DIGITS, DECIMAL_PLACES = 24, 3
"""For every int8 with three decimals."""
_STEP = Decimal(1).scaleb(-DECIMAL_PLACES)


def watt_hours(number: float | Decimal) -> Decimal:
    """Return a number of Wh rounded to the thousandth, half away from zero as PostgreSQL rounds numeric.

    Of a float, its shortest representation is rounded.
    """
    if isinstance(number, int):
        return Decimal(number)
    exact = number if isinstance(number, Decimal) else Decimal(repr(number))
    return trimmed(exact.quantize(_STEP, ROUND_HALF_UP))


def trimmed(number: Decimal) -> Decimal:
    """Return the number without trailing zeros in its fraction: 1234.500 is 1234.5, and 1234.000 is 1234."""
    whole = number.to_integral_value()
    return (whole if whole == number else number.normalize()) or Decimal(0)


class WattHoursField(models.DecimalField):
    """numeric(24, 3). Rows are read with trimmed values, so that a whole number of Wh reads as one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs |= {"max_digits": MAX_DIGITS, "decimal_places": DECIMAL_PLACES}
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        """Return what migrations write: the plain field, which is all that the table knows of it."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.DecimalField", args, kwargs

    def from_db_value(self, value: Decimal | None, expression: object, connection: object) -> Decimal | None:
        return None if value is None else trimmed(value)
