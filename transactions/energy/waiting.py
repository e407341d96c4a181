"""Values that do not go on from a counter's last one and wait for what follows; what each would mean.

Of two registers that are told in turn, one is the counter's and the other waits, and is dropped, in each turn. It is
known as a twin from the second turn on, by its distance from the counter's, and no glitch then.
"""

from typing import Any

from transactions.energy.limits import SHORTEST_MS, Limits
from transactions.energy.line import Kind, Line
from transactions.energy.quantities import AGREE_MWH, STEP_MWH
from transactions.energy.rollover import ALL, COMMON, rollover_rise

MAX_WAITING = 2
"""One of a new zero, and one of a twin."""

JITTER_MWH, JITTER_SHARE = 10_000, 1000
"""Falls up to 10 Wh, and to a thousandth of the register, are rounding."""

NEAR_SHARE = 50
"""Falls up to a step of 1 kWh, and to a 50th of the register, may be another resolution."""


def is_near(fall: int, value: int) -> bool:
    """Return whether a fall from `value` may be one of resolution: a register in whole kWh beside one in Wh."""
    return fall <= STEP_MWH and fall * NEAR_SHARE <= value


def is_jitter(fall: int, value: int) -> bool:
    """Return whether a fall from `value` is rounding."""
    return 0 < fall <= JITTER_MWH and fall * JITTER_SHARE <= value


def entry_of(waiting: Line, top: Line, limits: Limits) -> tuple[int, int]:
    """Return what the way from the last line to a waiting one is, and the energy (mWh) that it counts."""
    value, fall = waiting.first_value, top.value - waiting.first_value
    if waiting.kind == Kind.TWIN:
        return Kind.TWIN, 0
    is_start = top.samples == 0
    if fall < 0:
        return (Kind.ELSEWHERE if is_start else Kind.JUMP), 0
    if is_near(fall, top.value):
        return Kind.SHIFT, 0
    duration = waiting.first_at - top.at
    # Below a start's register, a session's own register is likelier than a rollover.
    closeness, moduli = (100, COMMON) if is_start else (10, ALL)
    rolled = rollover_rise(top.value, value, most=limits.usual(duration), closeness=closeness, moduli=moduli)
    if rolled is not None:
        return Kind.ROLLOVER, rolled
    most = limits.most(duration)
    if 2 * value > top.value or value > most:
        return (Kind.ELSEWHERE if is_start else Kind.SHIFT), 0
    if not is_start:
        return Kind.RESET, value
    is_ambiguous = rollover_rise(top.value, max(value, 1), most=most, closeness=10, moduli=COMMON) is not None
    return (Kind.SESSION | Kind.FALLEN if is_ambiguous else Kind.SESSION), value


class Waiting:
    """The lines that wait, at most two; how many were dropped as glitches and as implausible.

    `twin` is how far the last dropped one was from the counter's register, at least and at most; `twin_kind` what it
    was counted as; `turns` how often one was dropped as a twin.
    """

    __slots__ = ("glitches", "implausible", "lines", "turns", "twin", "twin_kind")

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.glitches = self.implausible = self.turns = 0
        self.twin: tuple[int, int] | None = None
        self.twin_kind = Kind.NONE

    def add(self, line: Line, top: Line, limits: Limits) -> None:
        """Let a value wait; the oldest gives way to a third."""
        if len(self.lines) == MAX_WAITING:
            self._drop(self.lines.pop(0), top, top.value, top.at)
        self.lines.append(line)
        if line.value <= top.value and is_near(top.value - line.value, top.value):
            self.stay(line, top)
        elif self.is_twin(line.at, line.value, top, limits) and all(each.kind != Kind.TWIN for each in self.lines):
            line.kind = Kind.TWIN
            if self.twin_kind == Kind.GLITCH:
                self.glitches -= 1
            elif self.twin_kind == Kind.IMPLAUSIBLE:
                self.implausible -= 1
            self.twin_kind = Kind.NONE

    def stay(self, line: Line, top: Line) -> None:
        """Take a near value for the register as it was, until it rises; the others are dropped."""
        self.lines.remove(line)
        self.drop(top, top.value, line.at)
        self.lines = [line]
        top.at = line.at
        top.samples += 1

    def is_twin(self, at: int, value: int, top: Line, limits: Limits) -> bool:
        """Return whether a value is as far from the counter's register as the one that was dropped last."""
        if self.twin is None:
            return False
        lowest, highest = self.twin
        return top.value + lowest - JITTER_MWH <= value <= top.value + highest + limits.usual(at - top.at)

    def drop(self, top: Line, after: int, at: int) -> None:
        """Leave out what waits: the last line goes on, with the value `after` at `at`."""
        for line in self.lines:
            self._drop(line, top, after, at)
        self.lines = []

    def _drop(self, line: Line, top: Line, after: int, at: int) -> None:
        kind = Kind.NONE
        if line.kind == Kind.TWIN:
            self.turns += 1
        elif line.value > top.value:
            kind = Kind.IMPLAUSIBLE
            self.implausible += 1
        elif is_near(top.value - line.value, top.value):
            return
        elif line.at != at:  # of two values of one instant, one is another register's
            kind = Kind.GLITCH
            self.glitches += 1
        self.twin, self.twin_kind = (line.value - after, line.value - top.value), kind

    def provisional(self, line: Line, top: Line, limits: Limits) -> tuple[int, int]:
        """Return what a line that nothing has followed is taken for, and the energy that it counts.

        A rollover counts at once, and the first value of a session's own register. A reset does not: most single
        falls are glitches.
        """
        kind, entry = entry_of(line, top, limits)
        if kind & (Kind.ROLLOVER | Kind.SESSION):
            return kind, entry
        fall = top.value - line.value
        is_told_in_turn = kind == Kind.TWIN and self.turns > 0 and line.at - top.at <= SHORTEST_MS
        is_coarser = is_near(fall, top.value) and (fall <= AGREE_MWH or line.value % STEP_MWH == 0)
        if is_told_in_turn or (fall >= 0 and is_coarser):
            return Kind.NONE, 0
        return (Kind.FALLEN if fall > 0 else Kind.IMPLAUSIBLE), 0

    def kinds(self) -> int:
        """Return what was dropped."""
        glitch = Kind.GLITCH if self.glitches else Kind.NONE
        return glitch | Kind.IMPLAUSIBLE if self.implausible else glitch

    def dump(self) -> list[Any]:
        return [
            [line.dump() for line in self.lines], self.glitches, self.implausible, self.turns, self.twin,
            self.twin_kind,
        ]  # fmt: skip

    @classmethod
    def load(cls, state: list[Any]) -> "Waiting":
        waiting = cls.__new__(cls)
        lines, waiting.glitches, waiting.implausible, waiting.turns, twin, waiting.twin_kind = state
        waiting.lines = [Line.load(line) for line in lines]
        waiting.twin = None if twin is None else (twin[0], twin[1])
        return waiting
