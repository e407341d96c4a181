"""A counter: the energy of one stream of register values is the sum of its plausible increments.

A value that does not go on from the last one waits for what follows. Where the next value goes on from the last one
after all, the waiting one was a glitch; where the next one rises from the waiting one, the register has another zero
since: a reset, a rollover, a session's own register, or one that is not known. Nothing counted before is dropped, but
for two: a rise at an unusual power that the next value takes back, and the rises of a second register that was taken
for a new zero until the first one went on.

A counter holds at most two lines and two that wait, and is fed value by value: fed in order it is the same as fed at
once.
"""

from enum import IntEnum
from typing import Any

from transactions.energy.limits import SHORTEST_MS, Limits
from transactions.energy.line import Kind, Line, Rise
from transactions.energy.quantities import STEP_MWH, UNTIMED_SLACK_MS, apart
from transactions.energy.waiting import Waiting, entry_of, is_jitter, is_near


class Taken(IntEnum):
    """What became of a value; in rising order of what it asks for."""

    IN_ORDER = 0
    SEEN = 1
    """The same value at the same time again: nothing changed."""
    COVERED = 2
    """Late, but between two values that it agrees with: the energy stays."""
    LATE = 3
    """Late: all values have to be fed again, in order."""


class Counter:
    """Energy (mWh) of one stream, from a register at the start (`start`: ms, mWh) or from its first value.

    `power_w` is the most that can be given. With `rises`, a list, the increments are kept too; one below 0 takes back
    what is no longer in it.
    """

    __slots__ = ("at", "begun_at", "is_anchored", "last", "left", "limits", "lines", "rises", "total", "waiting")

    def __init__(
        self,
        power_w: int,
        start: tuple[int, int] | None = None,
        *,
        is_timed: bool = True,
        rises: list[Rise] | None = None,
    ) -> None:
        self.limits = Limits(power_w, is_timed=is_timed)
        self.lines = [] if start is None else [Line(*start, samples=0)]
        self.waiting = Waiting()
        self.is_anchored = start is not None
        self.begun_at = self.at = 0 if start is None else start[0]
        self.last = -1  # no usable value is lower
        self.total = 0
        self.left = Kind.NONE
        self.rises = rises

    def feed(self, at: int, value: int, is_timed: bool = True) -> Taken:
        """Take the next value (mWh) of the stream, at `at` (ms); `is_timed` as in Sample."""
        if self.is_anchored and at < self.begun_at:
            at = self.begun_at
        if value < 0:  # -1 is a meter that does not answer
            self.waiting.glitches += 1
            return Taken.IN_ORDER
        if at <= self.at and (at < self.at or value <= self.last) and self.lines:
            return self._again(at, value)
        self.at, self.last = at, value
        if not is_timed:
            self.limits.slack_ms = UNTIMED_SLACK_MS
        if not self.lines:
            self.lines.append(Line(at, value))
            self.begun_at = at
            return Taken.IN_ORDER
        top = self.lines[-1]
        if not self.waiting.lines and self._continues(top, at, value):
            self._rise(top, at, value)
        else:
            self._decide(top, at, value)
        return Taken.IN_ORDER

    # --- what it has come to ---

    @property
    def energy(self) -> int:
        """What is counted, and what a waiting value stands for where hardly anything else can be meant."""
        return self.total + self.provisional().mwh if self.waiting.lines else self.total

    @property
    def has_counted(self) -> bool:
        """Whether the stream says anything of the energy: a value goes on from the start, or from another zero."""
        return bool(self.lines) and (self.lines[-1].samples > 0 or self.energy > 0)

    @property
    def register(self) -> int | None:
        """The last value that is believed."""
        if not self.lines:
            return None
        provisional = self.provisional()
        waiting = [line.value for line in self.waiting.lines if provisional.mwh and line.first_at == provisional.at]
        return waiting[0] if waiting else self.lines[-1].value

    def provisional(self) -> Rise:
        """Return what `energy` has beyond `rises`, a rise of 0 for nothing."""
        for line in self.waiting.lines:
            kind, entry = self.waiting.provisional(line, self.lines[-1], self.limits)
            if entry and self.total + entry <= self._most():
                return Rise(self.lines[-1].at, line.first_at, entry, kind)
        return Rise(self.at, self.at, 0, Kind.NONE)

    def kinds(self) -> int:
        """Return all that was met."""
        found = self.left | self.waiting.kinds()
        for line in self.lines:
            found |= line.kind
        for line in self.waiting.lines:
            found |= self.waiting.provisional(line, self.lines[-1], self.limits)[0]
        return found

    def goes_on(self, at: int, value: int) -> bool:
        """Return whether a value at that time goes on from the last one, or from one that waits and is no twin."""
        if not self.lines or value < 0:
            return False
        at = max(at, self.at)
        if self._continues(self.lines[-1], at, value):
            return True
        waiting = [line for line in self.waiting.lines if line.kind != Kind.TWIN and line.value < value]
        return any(self.limits.fits(line, at, value) for line in waiting)

    # --- what a value means ---

    def _continues(self, top: Line, at: int, value: int) -> bool:
        """Whether a value can be the next one of the last line, and the energy what it is with it."""
        limits = self.limits
        return limits.fits(top, at, value) and self.total + value - top.value <= limits.most(at - self.begun_at)

    def _decide(self, top: Line, at: int, value: int) -> None:
        """Take a value where others wait, or that does not go on from the last one."""
        fall = top.value - value
        continues = self._continues(top, at, value) or is_jitter(fall, top.value)
        fitting = [line for line in self.waiting.lines if self.limits.fits(line, at, value)]
        # A line above the last one that goes on shows that the way up to it took no longer than it seemed.
        if fitting and not (continues and all(line.value < top.value for line in fitting)):
            line = max(fitting, key=lambda each: each.value)
            line.at = at
            line.samples += 1
            if value > line.value:
                line.value = value
                self._switch(line, top)
            elif line.value <= top.value and is_near(top.value - line.value, top.value):
                self.waiting.stay(line, top)
        elif continues:
            self.waiting.drop(top, max(value, top.value), at)
            self._rise(top, at, max(value, top.value))
        elif self._takes_back(top, at, value):
            self._take_back(top)
            self.waiting.glitches += 1
            self._rise(top, at, value)
        elif self._is_swapped(top, at, value):
            twin = top.value
            self._take_back(top)
            self.waiting.twin = (twin - value, twin - top.value)
            self._rise(top, at, value)
        elif self._resumes(at, value):
            self._resume(at, value)
        else:
            self.waiting.add(Line(at, value), top, self.limits)

    def _rise(self, line: Line, at: int, value: int) -> None:
        rise = value - line.value
        line.samples += 1
        if rise:
            limits = self.limits
            line.prior_at, line.prior_value, line.prior_peak_w = line.at, line.value, limits.peak_w
            line.rise_w = rise_w = rise * 3600 // max(at - line.at, SHORTEST_MS)
            if rise_w > limits.peak_w:
                limits.peak_w = rise_w
            line.value = value
            line.gained += rise
            self.total += rise
            if self.rises is not None:
                self.rises.append(Rise(line.at, at, rise, Kind.NONE))
        line.at = at

    def _takes_back(self, top: Line, at: int, value: int) -> bool:
        """Whether a value shows that the last rise was a glitch: it lies below it, goes on from the value before it,
        and the rise was of an unusual power.
        """
        if top.prior_at is None or not top.prior_value <= value < top.value:
            return False
        return (
            top.rise_w > self.limits.usual_w(top.prior_peak_w)
            and not is_near(top.value - value, top.value)
            and not self.waiting.is_twin(at, value, top, self.limits)
            and value - top.prior_value <= self.limits.most(at - top.prior_at)
        )

    def _is_swapped(self, top: Line, at: int, value: int) -> bool:
        """Whether the last rise was of the twin: the other value of its instant is as far from it as ever."""
        twin = self.waiting.twin
        if twin is None or top.prior_at is None or at != top.at or abs(top.value - value - twin[0]) > STEP_MWH:
            return False
        rise = value - top.prior_value
        return 0 <= rise <= self.limits.most(at - top.prior_at)

    def _take_back(self, top: Line) -> None:
        assert top.prior_at is not None
        rise = top.value - top.prior_value
        top.gained -= rise
        self.total -= rise
        self._take_back_rises(len(self.rises or ()) - 1, rise)
        top.value, top.at, top.prior_at = top.prior_value, top.prior_at, None
        self.limits.peak_w = top.prior_peak_w
        self.waiting.lines = []

    def _take_back_rises(self, length: int, mwh: int) -> None:
        """Take `mwh` off the list of rises: those from `length` on, and what is not in the list as one below 0."""
        if self.rises is None:
            return
        length = max(length, 0)
        missing = mwh - sum(rise.mwh for rise in self.rises[length:])
        del self.rises[length:]
        if missing:
            self.rises.append(Rise(self.at, self.at, -missing, Kind.NONE))

    def _switch(self, line: Line, top: Line) -> None:
        """Go on with a line that waited and has risen; of three lines, the two last become one."""
        self.waiting.lines.remove(line)
        self.waiting.drop(top, top.value, line.at)
        self.waiting.twin = None
        kind, entry = entry_of(line, top, self.limits)
        rise = line.value - line.first_value
        if self.total + entry + rise > self._most():
            kind, entry, rise = kind | Kind.IMPLAUSIBLE, 0, 0
        line.kind, line.entry, line.gained = kind, entry, entry + rise
        self.total += line.gained
        if self.rises is not None:
            line.rises_from = len(self.rises)
            self.rises.append(Rise(top.at, line.first_at, entry, kind))
            self.rises.append(Rise(line.first_at, line.at, rise, Kind.NONE))
        if len(self.lines) > 1:
            merged = self.lines.pop()
            line.gained += merged.gained
            line.entry += merged.entry
            line.rises_from = merged.rises_from
            self.left |= merged.kind
        self.lines.append(line)

    def _most(self) -> int:
        return self.limits.most(self.at - self.begun_at)

    def _resumes(self, at: int, value: int) -> bool:
        """Whether a value goes on from the line before the last one, with the energy that the last one counted: two
        registers of different zeros are told in turn.
        """
        if len(self.lines) < 2 or not self.limits.fits(self.lines[0], at, value):
            return False
        first, top = self.lines[0], self.lines[-1]
        rise, risen = value - first.value, top.gained - top.entry
        if self.total - top.gained + rise > self._most():
            return False
        unseen_ms = (at - first.at) - (top.at - top.first_at)
        return -apart(risen) <= rise - risen <= apart(risen) + self.limits.usual(unseen_ms)

    def _resume(self, at: int, value: int) -> None:
        first, top = self.lines[0], self.lines.pop()
        self.total -= top.gained
        self._take_back_rises(top.rises_from, top.gained)
        self.waiting.twin, self.waiting.twin_kind = (top.value - value, top.value - first.value), Kind.NONE
        self.waiting.lines = []
        self._rise(first, at, value)

    def _again(self, at: int, value: int) -> Taken:
        """Say what a value is that is not later than the last one."""
        known = [(self.at, self.last)]
        for line in (*self.lines, *self.waiting.lines):
            known += [(line.at, line.value), (line.first_at, line.first_value), (line.prior_at or 0, line.prior_value)]
        if (at, value) in known:
            return Taken.SEEN
        top = self.lines[-1]
        is_within = len(self.lines) == 1 and top.first_at <= at <= top.at and top.first_value <= value <= top.value
        return Taken.COVERED if is_within and not self.waiting.lines else Taken.LATE

    # --- the state between two messages ---

    def dump(self) -> list[Any]:
        """Return the state as numbers and lists of them, for `load`; without the rises."""
        limits = self.limits
        return [
            limits.power_w, limits.slack_ms, limits.peak_w, self.is_anchored, self.begun_at, self.at, self.last,
            self.total, self.left, self.waiting.dump(), [line.dump() for line in self.lines],
        ]  # fmt: skip

    @classmethod
    def load(cls, state: list[Any]) -> "Counter":
        counter = cls.__new__(cls)
        counter.rises = None
        counter.limits = limits = Limits(state[0], is_timed=True)
        (
            _, limits.slack_ms, limits.peak_w, counter.is_anchored, counter.begun_at, counter.at, counter.last,
            counter.total, counter.left, waiting, lines,
        ) = state  # fmt: skip
        counter.waiting = Waiting.load(waiting)
        counter.lines = [Line.load(line) for line in lines]
        return counter

    def copy(self) -> "Counter":
        """Return a counter to try an end on; the rises are not copied."""
        return Counter.load(self.dump())
