"""One rising line of register values: what a register reads from one zero to the next."""

from typing import Any, NamedTuple


class Kind:
    """How a line began, or what was left out of it; bits of an int, which a state is read and written with in no time.

    SESSION: from 0, while the register of the start has another zero. ELSEWHERE: from a zero that is neither 0 nor the
    start's; what was consumed before its first value is missing. RESET: from 0, after a fall. ROLLOVER. SHIFT:
    from another zero that is not known; what was consumed meanwhile is missing. JUMP: higher than the connector can
    have given; the same is missing. TWIN: another register, told in turn with the one before, which has been silent
    since. GLITCH and IMPLAUSIBLE: values that were left out. FALLEN: fell, and nothing tells why.
    """

    NONE = 0
    SESSION = 1
    RESET = 2
    ROLLOVER = 4
    SHIFT = 8
    JUMP = 16
    TWIN = 32
    GLITCH = 64
    IMPLAUSIBLE = 128
    FALLEN = 256
    ELSEWHERE = 512


class Rise(NamedTuple):
    """An increment that counts (mWh) between two times (ms); `kind` says what it bridges."""

    since: int
    at: int
    mwh: int
    kind: int


class Line:
    """Values (mWh) that rise, with the time (ms) of the last one.

    `gained` is what has been counted of it: `entry`, for its first value, and its rises. The `prior_` fields are as
    they were before the last rise, `prior_at` None where that cannot be taken back; `rise_w` is its power. `samples`
    does not count a register of a start. `rises_from` is the index of its first rise in the counter's list.
    """

    __slots__ = (
        "at", "entry", "first_at", "first_value", "gained", "kind", "prior_at", "prior_peak_w", "prior_value",
        "rise_w", "rises_from", "samples", "value",
    )  # fmt: skip

    def __init__(self, at: int, value: int, samples: int = 1) -> None:
        self.first_at = self.at = at
        self.first_value = self.value = self.prior_value = value
        self.prior_at: int | None = None
        self.prior_peak_w = self.rise_w = 0
        self.gained = self.entry = 0
        self.kind = Kind.NONE
        self.samples = samples
        self.rises_from = 0

    def dump(self) -> list[Any]:
        """Return its fields as numbers, for `load`."""
        return [
            self.first_at, self.first_value, self.at, self.value, self.samples, self.gained, self.entry, self.kind,
            self.prior_at, self.prior_value, self.prior_peak_w, self.rise_w, self.rises_from,
        ]  # fmt: skip

    @classmethod
    def load(cls, state: list[Any]) -> "Line":
        line = cls.__new__(cls)
        (
            line.first_at, line.first_value, line.at, line.value, line.samples, line.gained, line.entry, line.kind,
            line.prior_at, line.prior_value, line.prior_peak_w, line.rise_w, line.rises_from,
        ) = state  # fmt: skip
        return line
