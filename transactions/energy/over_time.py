"""Energy of one connector over time, for charts and roll-ups: the streams and counters of transactions, without ends.

A first and a last value of each stretch of time do as well as all values: a glitch that is neither costs nothing, and
one that is stands between values that contradict it.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from transactions.energy.counter import Counter
from transactions.energy.evidence import BEGIN, END, REGISTER, Sample
from transactions.energy.line import Kind, Rise
from transactions.energy.quantities import EPOCH, Number, limit_w, to_ms, to_mwh, to_wh
from transactions.energy.register import Point, Register
from transactions.energy.streams import SILENT_MS, UNITS, Place, phase_of

FELL = Kind.RESET | Kind.ROLLOVER | Kind.SHIFT | Kind.JUMP | Kind.TWIN
"""What a register fell or jumped by between two values: some energy may be missing."""


class Increment(NamedTuple):
    """Energy between two values; `fell`: the register began anew between them, so that some may be missing."""

    since: datetime
    at: datetime
    energy_wh: float
    fell: bool


def increments(samples: Iterable[Sample], *, max_power_w: Number | None = None) -> list[Increment]:
    """Return what a connector gave between its samples, in time order; samples that no energy came with are left out.

    Of registers at several places the best counts at each time; a session's own register and the lifetime's are one
    place, and never add up.
    """
    points: dict[Place, list[Point]] = defaultdict(list)
    for at, value, measurand, word, location, context, unit, is_timed in samples:
        number, phase = to_mwh(value), phase_of(word)
        is_running = measurand == REGISTER and unit in UNITS[REGISTER] and context not in (BEGIN, END)
        if is_running and number is not None and phase is not None:
            points[Place(location, phase != "")].append((to_ms(at), number, is_timed, context, phase))
    covered: list[tuple[int, int]] = []
    found: list[Rise] = []
    for place in sorted(points, key=lambda each: each.rank):
        values = Register(place).values(points[place])
        rises = _rises(values, limit_w(max_power_w))
        found += [rise for rise in rises if not any(begin < rise.at and rise.since < end for begin, end in covered)]
        told = _stretches([at for at, _, _ in values])
        covered = _merged([*covered, *told, *((rise.since, rise.at) for rise in rises)])
    return [
        Increment(_time(rise.since), _time(rise.at), to_wh(rise.mwh), bool(rise.kind & FELL))
        for rise in sorted(found)
        if rise.mwh or rise.kind & FELL
    ]


def _rises(values: Iterable[tuple[int, int, bool]], power_w: int) -> list[Rise]:
    rises: list[Rise] = []
    counter = Counter(power_w, rises=rises)
    for value in values:
        counter.feed(*value)
    last = counter.provisional()
    return [*rises, last] if last.mwh else rises


def _stretches(times: list[int]) -> list[tuple[int, int]]:
    """Return the stretches of time in which a register told its values."""
    return [(before, after) for before, after in pairwise(times) if after - before <= SILENT_MS]


def _merged(stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(stretches):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        elif begin < end:
            merged.append((begin, end))
    return merged


def _time(ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=ms)
