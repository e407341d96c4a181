"""What a transaction's samples have come to so far: a small state that takes samples message by message.

Fed in order it is the same as fed at once. What it cannot take (a late register, a phase or a begin that it did not
know of) makes it `is_outdated`: a new one is to be fed with all samples.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from transactions.energy.counter import Counter, Taken
from transactions.energy.evidence import BEGIN, END, INTERVAL, POWER, REGISTER, Sample
from transactions.energy.flows import PowerSum
from transactions.energy.limits import USUAL_W
from transactions.energy.quantities import Number, limit_w, to_ms, to_mwh
from transactions.energy.register import Point, Register
from transactions.energy.streams import SILENT_MS, UNITS, Place, Start, phase_of, start_of

VERSION = 1


class UnknownState(ValueError):
    """A tally of another version."""


class Tally:
    """The registers of one transaction by place, its power and its intervals."""

    __slots__ = (
        "begun_at", "intervals", "is_outdated", "is_timed", "meter_start", "power_w", "powers", "registers",
    )  # fmt: skip

    def __init__(
        self,
        *,
        started_at: datetime,
        meter_start_wh: Number | None,
        max_power_w: Number | None = None,
        is_timed: bool = True,
    ) -> None:
        self.begun_at = to_ms(started_at)
        self.meter_start = to_mwh(meter_start_wh)
        self.power_w = limit_w(max_power_w)
        self.is_timed = is_timed
        self.is_outdated = False
        self.registers: dict[Place, Register] = {}
        self.powers: dict[Place, PowerSum] = {}
        self.intervals: dict[tuple[Place, str], int] = {}

    def add(self, samples: Iterable[Sample]) -> Taken:
        """Take samples, in any order among themselves, each once; say what became of them, of several the worst."""
        points: dict[Place, list[Point]] = defaultdict(list)
        watts: dict[tuple[int, Place, str], dict[str, int]] = {}
        is_begin_new = False
        for at, value, measurand, word, location, context, unit, is_timed in samples:
            if measurand not in UNITS or unit not in UNITS[measurand]:
                continue
            number, phase = to_mwh(value), phase_of(word)
            if number is None or phase is None:
                continue
            place, ms = Place(location, phase != ""), to_ms(at)
            point = (ms, number, is_timed, context, phase)
            if measurand == POWER:
                if 0 <= number <= self.power_w * 1000:
                    by_phase = watts.setdefault((ms, place, context), {})
                    by_phase[phase] = max(number // 1000, by_phase.get(phase, 0))
            elif measurand == INTERVAL:
                if number >= 0 and context not in (BEGIN, END):
                    self.intervals[place, context] = self.intervals.get((place, context), 0) + number
            elif context == BEGIN:
                is_begin_new |= self._register(place).note_begin(point)
            elif context == END:
                self._register(place).note_end(point)
            else:
                points[place].append(point)
        for ms, place, context in sorted(watts):
            self.powers.setdefault(place, PowerSum()).feed(ms, sum(watts[ms, place, context].values()))
        if is_begin_new:
            counting = [each for each in self.registers.values() if each.counter is not None]
            self.is_outdated |= any(each.start != self.start(each.place, each.first) for each in counting)
        taken = Taken.IN_ORDER
        for place, found in points.items():
            taken = max(taken, self._feed(self._register(place), found))
        return taken

    def chosen(self) -> Register | None:
        """Return the register that counts: the first by location and phase that has a value and is neither dead nor
        silent while another goes on; else one that has an end.
        """
        counting = [each for each in self.registers.values() if each.counter is not None]
        if not counting:
            counting = [each for each in self.registers.values() if each.end is not None]
            return min(counting, key=lambda each: each.place.rank, default=None)
        latest = max(each.counter.at for each in counting if each.counter is not None)
        live = [
            each
            for each in counting
            if each.counter is not None and latest - each.counter.at <= SILENT_MS and not each.is_dead
        ]
        return min(live or counting, key=lambda each: each.place.rank)

    def can_take(self, samples: Iterable[Sample]) -> bool:
        """Return whether samples that name no transaction can be this one's: a register among them goes on from what
        was counted, or from the register of the start.
        """
        values = sorted(
            (Place(each.location, False).rank, each.location, to_ms(each.at), number)
            for each in samples
            if each.measurand == REGISTER and each.unit in UNITS[REGISTER] and not each.phase
            if (number := to_mwh(each.value)) is not None
        )
        if not values:
            return True
        _, location, at, value = values[0]
        own = self.registers.get(Place(location, False))
        if own is not None and own.counter is not None:
            return own.counter.goes_on(at, value)
        return self.meter_start is None or self.new_counter(Start(self.meter_start)).goes_on(at, value)

    def start(self, place: Place | None, first: tuple[int, int] | None) -> Start:
        """Return where a register begins whose first value is `first`: by its own begin, else by the best one."""
        own = None if place is None else self.registers.get(place)
        begins = [each for each in self.registers.values() if each.begin is not None]
        known = own if own is not None and own.begin is not None else None
        begin = known or min(begins, key=lambda each: each.place.rank, default=None)
        return start_of(
            meter_start=self.meter_start,
            begin=None if begin is None else begin.begin,
            first=first,
            begun_at=self.begun_at,
            power_w=self.power_w,
            usual_w=min(self.power_w, USUAL_W),
            is_timed=self.is_timed,
        )

    def new_counter(self, start: Start) -> Counter:
        anchor = None if start.mwh is None else (self.begun_at, start.mwh)
        return Counter(self.power_w, anchor, is_timed=self.is_timed)

    def _register(self, place: Place) -> Register:
        found = self.registers.get(place)
        if found is None:
            found = self.registers[place] = Register(place)
        return found

    def _feed(self, register: Register, points: Sequence[Point]) -> Taken:
        phases = len(register.phases)
        values = register.values(points)
        if register.counter is None:
            while values and values[0][1] < 0:
                values.pop(0)
            if not values:
                return Taken.IN_ORDER
            register.first = self._first(values)
            register.start = self.start(register.place, register.first)
            register.counter = self.new_counter(register.start)
        elif len(register.phases) > phases:
            self.is_outdated = True
        feed = register.counter.feed
        taken = max([feed(*value) for value in values], default=Taken.IN_ORDER)
        self.is_outdated |= taken is Taken.LATE
        return taken

    def _first(self, values: Sequence[tuple[int, int, bool]]) -> tuple[int, int]:
        """Return the first value (ms, mWh); of several at its instant, the one that is nearest above the start."""
        at = values[0][0]
        start = self.meter_start or 0
        at_once = [value for ms, value, _ in values if ms == at and value >= 0]
        return at, min(at_once, key=lambda value: (value < start, value))

    def dump(self) -> list[Any]:
        """Return the state as JSON has it, for `load`."""
        return [
            VERSION, self.begun_at, self.meter_start, self.power_w, self.is_timed, self.is_outdated,
            [each.dump() for each in self.registers.values()],
            [[*place, each.dump()] for place, each in self.powers.items()],
            [[*place, context, mwh] for (place, context), mwh in self.intervals.items()],
        ]  # fmt: skip

    @classmethod
    def load(cls, state: Sequence[Any]) -> "Tally":
        """Return the tally of a dump.

        :raises UnknownState: it is of another version; a new tally is to be fed with all samples.
        """
        if state[0] != VERSION:
            raise UnknownState(f"a tally of version {state[0]}")
        tally = cls.__new__(cls)
        _, tally.begun_at, tally.meter_start, tally.power_w, tally.is_timed, tally.is_outdated = state[:6]
        registers = [Register.load(each) for each in state[6]]
        tally.registers = {each.place: each for each in registers}
        tally.powers = {Place(*words): PowerSum.load(each) for *words, each in state[7]}
        tally.intervals = {(Place(*words), context): mwh for *words, context, mwh in state[8]}
        return tally
