"""Numbers of Wh, to the thousandth."""

from decimal import Decimal

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evcharging.db.watt_hours import WattHoursField, trimmed, watt_hours


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1234, "1234"),
        (0, "0"),
        (-5, "-5"),
        (2**63 - 1, "9223372036854775807"),
        (-(2**63), "-9223372036854775808"),
        (1234.5, "1234.5"),
        (1234.0, "1234"),
        (0.1 + 0.2, "0.3"),
        (0.0005, "0.001"),
        (-0.0005, "-0.001"),
        (0.0004999, "0"),
        (-0.0004999, "0"),
        (1e15, "1000000000000000"),
        (Decimal("1E+3"), "1000"),
        (Decimal("9223372036854775807.999"), "9223372036854775807.999"),
        (Decimal("1.2345"), "1.235"),
    ],
)
def test_watt_hours_are_rounded_to_the_thousandth(number, text):
    assert str(watt_hours(number)) == text


@pytest.mark.django_db
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.decimals("-9223372036854775808", "9223372036854775807", places=6))
def test_watt_hours_are_rounded_as_postgres_rounds(number):
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::numeric(24, 3)", [number])
        assert cursor.fetchone() == (watt_hours(number),)


@given(st.decimals("-9223372036854775808", "9223372036854775807", places=3))
def test_trimmed_number_is_the_same_without_zeros_at_its_end(number):
    text = str(trimmed(number))
    assert Decimal(text) == number
    assert "E" not in text
    assert "." not in text or text[-1] != "0"


def test_migrations_know_the_column_only():
    _, path, _, arguments = WattHoursField(null=True).deconstruct()
    assert (path, arguments) == (
        "django.db.models.DecimalField",
        {"null": True, "max_digits": 24, "decimal_places": 3},
    )
