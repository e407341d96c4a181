"""Exact numbers of the energy rules, and what a connector can give in a time.

Inside, energy is whole milliwatt-hours and time whole milliseconds since 1970. Registers are int8 or decimals with
fractions of a Wh, and a float cannot hold the upper ones; differences of integers are exact, add up to the same in any
order, and cost less than those of Decimal.
"""

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal

Number = int | float | Decimal

MAX_CONNECTOR_POWER_W = 500_000
"""What a connector is taken to give where nobody said what it can."""

DECLARED_TOLERANCE = 1.1
"""A declared power is nominal: the grid may be a tenth above its nominal voltage (EN 50160)."""

CLOCK_SLACK_MS = 300_000
"""How far two times of a station may be wrong against one another; as far ahead as a time is still believed."""

UNTIMED_SLACK_MS = 86_400_000
"""The same where a time is the time of receipt: a station sends what it queued for hours within a second."""

STEP_MWH = 1_000_000
"""Coarsest step of a register that is met: 1 kWh. One step may show at any moment."""

AGREE_MWH, AGREE_SHARE = 100_000, 50

LARGEST_WH = 10**19
"""Beyond int8, and beyond any register."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_mwh(value: Number | None) -> int | None:
    """Return Wh as whole mWh, None for None and for what no register reads."""
    if value is None or (isinstance(value, Decimal) and not value.is_finite()) or not -LARGEST_WH < value < LARGEST_WH:
        return None
    if isinstance(value, Decimal):
        return int((value * 1000).to_integral_value(ROUND_HALF_EVEN))
    return round(value * 1000)


def to_wh(mwh: int) -> float:
    return mwh / 1000


def to_ms(at: datetime) -> int:
    """Return an aware time as milliseconds since 1970."""
    since = at - EPOCH
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


def apart(mwh: int) -> int:
    """Return how far energies of this size may be apart and agree: 100 Wh or a 50th."""
    return max(AGREE_MWH, mwh // AGREE_SHARE)


def limit_w(max_power_w: Number | None) -> int:
    """Return the power (W) above which an increment cannot be; `max_power_w` is what station or connector declare."""
    if max_power_w is None or not 0 < max_power_w < 1e9:
        return MAX_CONNECTOR_POWER_W
    return round(float(max_power_w) * DECLARED_TOLERANCE)


def plausible_mwh(power_w: int, duration_ms: int, slack_ms: int = CLOCK_SLACK_MS) -> int:
    """Return the most energy (mWh) that a register may rise by in a time."""
    return power_w * (max(duration_ms, 0) + slack_ms) // 3600 + STEP_MWH
