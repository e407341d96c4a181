"""What an increment can be, and what one usually is."""

from transactions.energy.line import Line
from transactions.energy.quantities import CLOCK_SLACK_MS, STEP_MWH, UNTIMED_SLACK_MS, plausible_mwh

SHORTEST_MS = 60_000
"""Rises count as of at least this long where their power is asked for: times have seconds or minutes, registers steps.
Of two values of one instant that are further apart than that, one is another register's.
"""

USUAL_W, USUAL_TIMES = 22_000, 3
"""A rise is usual up to this power, or this many times the highest power before it."""


class Limits:
    """The most that a connector gives (`power_w`), how wrong times may be, and the highest power met so far."""

    __slots__ = ("peak_w", "power_w", "slack_ms")

    def __init__(self, power_w: int, *, is_timed: bool) -> None:
        self.power_w = power_w
        self.slack_ms = CLOCK_SLACK_MS if is_timed else UNTIMED_SLACK_MS
        self.peak_w = 0

    def most(self, duration_ms: int) -> int:
        """Return the highest rise (mWh) in a time."""
        return plausible_mwh(self.power_w, duration_ms, self.slack_ms)

    def usual(self, duration_ms: int) -> int:
        """Return the highest rise (mWh) in a time at a usual power."""
        return plausible_mwh(self.usual_w(self.peak_w), duration_ms, self.slack_ms)

    def usual_w(self, peak_w: int) -> int:
        """Return the highest power that is usual after a peak."""
        return min(self.power_w, max(USUAL_W, USUAL_TIMES * peak_w))

    def fits(self, line: Line, at: int, value: int) -> bool:
        """Return whether a value can be the next one of a line."""
        rise = value - line.value
        if at == line.at and line.samples and self.slack_ms == CLOCK_SLACK_MS:
            return 0 <= rise <= plausible_mwh(self.power_w, 0, SHORTEST_MS)
        return 0 <= rise <= self.power_w * (at - line.at + self.slack_ms) // 3600 + STEP_MWH
