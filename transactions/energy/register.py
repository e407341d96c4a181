"""One register of a transaction: the samples of one place, its phases added up, where it begins and what it counts."""

from collections.abc import Iterable
from typing import Any

from transactions.energy.counter import Counter
from transactions.energy.streams import Place, Start

Point = tuple[int, int, bool, str, str]
"""Time (ms), value (mWh), whether the time is the station's, context, phase."""


class Register:
    """The register of one place. `first` is its first running value (ms, mWh); with it come `start` and `counter`.

    `phases` has the latest value of each phase that is known, None before the first; "" is the phase of a register
    without one. `begins` and `ends` have Transaction.Begin and Transaction.End by phase: (ms, mWh).
    """

    __slots__ = ("begins", "counter", "ends", "first", "phases", "place", "start")

    def __init__(self, place: Place) -> None:
        self.place = place
        self.phases: dict[str, int | None] = {}
        self.begins: dict[str, tuple[int, int]] = {}
        self.ends: dict[str, tuple[int, int]] = {}
        self.first: tuple[int, int] | None = None
        self.start = Start(None)
        self.counter: Counter | None = None

    def note_begin(self, point: Point) -> bool:
        """Keep the earliest begin; return whether it is a new one."""
        at, value, _, _, phase = point
        known = self.begins.get(phase)
        if known is not None and known <= (at, value):
            return False
        self.begins[phase] = (at, value)
        return True

    def note_end(self, point: Point) -> None:
        """Keep the latest end."""
        at, value, _, _, phase = point
        self.ends[phase] = max((at, value), self.ends.get(phase, (at, value)))

    @property
    def begin(self) -> int | None:
        return sum(value for _, value in self.begins.values()) if self.begins else None

    @property
    def end(self) -> tuple[int, int] | None:
        """Time and value of the end, None where it lacks one of the phases."""
        if not self.ends or not self.phases.keys() <= self.ends.keys():
            return None
        return max(at for at, _ in self.ends.values()), sum(value for _, value in self.ends.values())

    def values(self, points: Iterable[Point]) -> list[tuple[int, int, bool]]:
        """Return time, value and whether it is timed of what running samples come to, in order.

        Phases of one instant and context are added; one that is missing there counts with its latest value.
        """
        if not self.place.is_phased:
            self.phases[""] = None
            return sorted(point[:3] for point in points)
        instants: dict[tuple[int, str], dict[str, int]] = {}
        untimed = set()
        for at, value, is_timed, context, phase in sorted(points):
            if value >= 0:
                instants.setdefault((at, context), {})[phase] = value
                self.phases.setdefault(phase, None)
                if not is_timed:
                    untimed.add(at)
        found = []
        for (at, _), values in instants.items():
            self.phases.update(values)
            known = [values.get(phase, latest) for phase, latest in self.phases.items()]
            if None not in known:
                found.append((at, sum(value for value in known if value is not None), at not in untimed))
        return sorted(found)

    @property
    def is_dead(self) -> bool:
        """Whether it says nothing, or nothing but 0."""
        counter = self.counter
        if counter is None or not counter.has_counted:
            return True
        return counter.energy == 0 and counter.register == 0

    def dump(self) -> list[Any]:
        """Return the state as JSON has it, for `load`."""
        return [
            list(self.place), self.phases, self.begins, self.ends, self.first, list(self.start),
            None if self.counter is None else self.counter.dump(),
        ]  # fmt: skip

    @classmethod
    def load(cls, state: list[Any]) -> "Register":
        place, phases, begins, ends, first, start, counter = state
        register = cls(Place(*place))
        register.phases = dict(phases)
        register.begins = {phase: (at, value) for phase, (at, value) in begins.items()}
        register.ends = {phase: (at, value) for phase, (at, value) in ends.items()}
        register.first = None if first is None else (first[0], first[1])
        register.start = Start(*start)
        register.counter = None if counter is None else Counter.load(counter)
        return register
