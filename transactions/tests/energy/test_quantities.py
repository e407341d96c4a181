"""Exact numbers: both ends of int8, fractions of a Wh, and what no register can be."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from transactions.energy.quantities import limit_w, plausible_mwh, to_ms, to_mwh


@pytest.mark.parametrize(
    ("value", "mwh"),
    [
        (2**63 - 1, (2**63 - 1) * 1000),
        (-(2**63), -(2**63) * 1000),
        (Decimal("9223372036854775807.125"), 9_223_372_036_854_775_807_125),
        (Decimal("0.0005"), 0),
        (Decimal("0.0015"), 2),
        (1234.5678, 1_234_568),
        (0.1, 100),
        (10**19, None),
        (1e305, None),
        (Decimal("-1e400"), None),
        (None, None),
        (float("nan"), None),
        (float("inf"), None),
        (Decimal("NaN"), None),
        (Decimal("-Infinity"), None),
    ],
)
def test_energy_is_whole_milliwatt_hours(value, mwh) -> None:
    assert to_mwh(value) == mwh


def test_time_is_whole_milliseconds_of_any_zone() -> None:
    assert to_ms(datetime(1970, 1, 2, 0, 0, 0, 999_999, tzinfo=UTC)) == 86_400_999
    assert to_ms(datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))) == 0
    assert to_ms(datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)) == -1000


@pytest.mark.parametrize(
    ("declared", "watts"), [(None, 500_000), (22_000, 24_200), (Decimal(11_000), 12_100), (0, 500_000), (-1, 500_000)]
)
def test_declared_power_has_a_tolerance(declared, watts: int) -> None:
    assert limit_w(declared) == watts


def test_plausible_energy_has_the_clocks_slack_and_a_step() -> None:
    assert plausible_mwh(500_000, 30_000) == 500_000 * 330_000 // 3600 + 1_000_000
    assert plausible_mwh(22_000, -5_000, slack_ms=0) == 1_000_000
