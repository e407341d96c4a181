"""The verdict on a transaction's energy: a figure, how it was found, what it rests on and what contradicts it."""

from enum import StrEnum
from typing import NamedTuple


class Method(StrEnum):
    """How an energy was found."""

    REGISTERS = "registers"
    """The registers of start and stop."""
    SAMPLES = "samples"
    """What the samples counted; no register of a stop was there, or none was believed."""
    MIXED = "mixed"
    """What the samples counted, and the stop's register, which goes on from them."""
    ESTIMATED = "estimated"
    """Intervals, power over time, or the register of the next start."""
    CORRECTED = "corrected"
    UNKNOWN = "unknown"


class EnergyMark(StrEnum):
    """A reason to look at a transaction's energy before billing it."""

    METER_REGRESSION = "meter_regression"
    REGISTER_RESET = "register_reset"
    REGISTER_ROLLOVER = "register_rollover"
    REGISTER_GLITCH = "register_glitch"
    IMPLAUSIBLE_ENERGY = "implausible_energy"
    REGISTERS_DISAGREE = "registers_disagree"
    STOP_IGNORED = "stop_ignored"
    START_UNKNOWN = "start_unknown"
    ENERGY_ESTIMATED = "energy_estimated"
    ENERGY_UNKNOWN = "energy_unknown"
    UNIT_SUSPECT = "unit_suspect"


class Figure(NamedTuple):
    """Another energy (Wh) that a part of the evidence says; below 0 where a stop's register is below the start's."""

    source: str
    energy_wh: float


class Verdict(NamedTuple):
    """What is concluded of a transaction's energy.

    `rests_on` and the sources of `contradictions` are of: meter_start, begin_sample, samples, end_sample, meter_stop,
    registers, interval, power, next_start, known, staff. `register_wh` is the register at the end that is believed, in
    the zero of the start; None where there is none. `unit_factor`: what the registers would have to be multiplied by
    to fit the rest, None where nothing is suspected.
    """

    energy_wh: float | None
    method: Method
    rests_on: tuple[str, ...]
    contradictions: tuple[Figure, ...]
    marks: tuple[EnergyMark, ...]
    register_wh: float | None
    unit_factor: float | None
