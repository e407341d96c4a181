"""A verdict while it is made, and the marks of what samples met."""

from dataclasses import dataclass, field

from transactions.energy.line import Kind
from transactions.energy.quantities import to_wh
from transactions.energy.verdict import EnergyMark, Figure, Method, Verdict

_MARKS = (
    (Kind.RESET, (EnergyMark.METER_REGRESSION, EnergyMark.REGISTER_RESET)),
    (Kind.ROLLOVER, (EnergyMark.METER_REGRESSION, EnergyMark.REGISTER_ROLLOVER)),
    (Kind.SHIFT | Kind.TWIN | Kind.FALLEN, (EnergyMark.METER_REGRESSION,)),
    (Kind.ELSEWHERE, (EnergyMark.START_UNKNOWN,)),
    (Kind.GLITCH, (EnergyMark.REGISTER_GLITCH,)),
    (Kind.JUMP | Kind.IMPLAUSIBLE, (EnergyMark.IMPLAUSIBLE_ENERGY,)),
)


@dataclass(slots=True)
class Draft:
    """A verdict while it is made; energies in mWh."""

    energy: int | None
    method: Method
    rests_on: tuple[str, ...]
    register: int | None = None
    marks: set[EnergyMark] = field(default_factory=set)
    figures: list[tuple[str, int]] = field(default_factory=list)
    unit_factor: float | None = None

    def mark_kinds(self, kinds: int) -> None:
        for kind, marks in _MARKS:
            if kinds & kind:
                self.marks.update(marks)

    def mark(self, mark: EnergyMark, source: str = "", mwh: int | None = None) -> None:
        """Add a mark, and another figure that is the reason for it."""
        self.marks.add(mark)
        if mwh is not None:
            self.figures.append((source, mwh))

    def verdict(self) -> Verdict:
        return Verdict(
            None if self.energy is None else to_wh(self.energy),
            self.method,
            self.rests_on,
            tuple(Figure(source, to_wh(mwh)) for source, mwh in self.figures),
            tuple(sorted(self.marks)),
            None if self.register is None else to_wh(self.register),
            self.unit_factor,
        )
