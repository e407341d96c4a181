"""Energy by power over time and by intervals: what registers are held against, and the last resort."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from transactions.energy.streams import Place

GAP_MS = 3_600_000
"""Power is not known between samples that are further apart."""


class PowerSum:
    """Energy of one stream of power, each stretch at the mean of its two samples."""

    __slots__ = ("at", "covered_ms", "double", "samples", "watts")

    def __init__(self) -> None:
        self.at = self.watts = self.samples = self.covered_ms = self.double = 0

    def feed(self, at: int, watts: int) -> None:
        """Take the next sample (ms, W); a late one is left out."""
        duration = at - self.at
        if self.samples and duration < 0:
            return
        if self.samples and duration <= GAP_MS:
            self.double += (self.watts + watts) * duration
            self.covered_ms += duration
        self.at, self.watts = at, watts
        self.samples += 1

    @property
    def mwh(self) -> int:
        return self.double // 7200

    def dump(self) -> list[Any]:
        return [self.at, self.watts, self.samples, self.covered_ms, self.double]

    @classmethod
    def load(cls, state: list[Any]) -> "PowerSum":
        power = cls.__new__(cls)
        power.at, power.watts, power.samples, power.covered_ms, power.double = state
        return power


class Flow(NamedTuple):
    """An energy (mWh) that no register says, what says it, and how long (ms) it covers; None for unknown."""

    mwh: int
    source: str
    covered_ms: int | None


def flow_of(intervals: Mapping[tuple[Place, str], int], powers: Mapping[Place, PowerSum]) -> Flow | None:
    """Return the energy by intervals, else by power over time, of the best place; None where there is neither.

    Intervals of several contexts overlap: those that come to most count.
    """
    if intervals:
        place = min((place for place, _ in intervals), key=lambda each: each.rank)
        return Flow(max(mwh for (where, _), mwh in intervals.items() if where == place), "interval", None)
    known = {place: power for place, power in powers.items() if power.covered_ms}
    if not known:
        return None
    power = known[min(known, key=lambda place: place.rank)]
    return Flow(power.mwh, "power", power.covered_ms)
