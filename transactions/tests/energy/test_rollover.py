"""Registers that begin at 0 again, and falls that are none of that."""

import pytest

from transactions.energy.rollover import COMMON, rollover_rise

KWH = 1_000_000


@pytest.mark.parametrize(
    "modulus_wh",
    [10**5, 10**6, 10**8, 10**9, 2**16, 2**24, 2**31, 2**32, 2**63, 10 * 2**16, 100 * 2**24, 1000 * 2**32],
)
def test_common_moduli_are_known(modulus_wh: int) -> None:
    modulus = 1000 * modulus_wh
    assert rollover_rise(modulus - 700_000, 300_000, most=10 * KWH, closeness=50) == KWH
    if modulus_wh != 2**63:
        assert rollover_rise(modulus - 700_000, 300_000, most=10 * KWH, closeness=50, moduli=COMMON) == KWH


@pytest.mark.parametrize(
    ("before", "after", "most", "closeness"),
    [
        (999_990_000, 0, 10 * KWH, 10),
        (20_000, 999_990_000, 10 * KWH, 10),
        (999_990_000, 20_000, 29_999, 10),
        (700 * KWH, 20_000, 10 * KWH, 10),
        (995 * KWH, 20_000, 10 * KWH, 1000),
    ],
    ids=["reads 0", "rises", "more than can be", "far from the end", "not near enough"],
)
def test_other_falls_are_none(before: int, after: int, most: int, closeness: int) -> None:
    assert rollover_rise(before, after, most=most, closeness=closeness) is None


def test_nearest_modulus_counts() -> None:
    assert rollover_rise(65_535_000, 5_000, most=500 * KWH, closeness=2) == 6_000
