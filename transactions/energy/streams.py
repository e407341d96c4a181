"""Which samples are one register: by measurand and unit, by location, by phase; and where that register begins.

Contexts are no streams of their own: what is read by the clock and by the session is one register, and where it is
two, their zeros tell them apart (counter.py). Transaction.Begin and Transaction.End are ends, no running values.
"""

from typing import NamedTuple

from transactions.energy.evidence import INTERVAL, POWER, REGISTER
from transactions.energy.quantities import CLOCK_SLACK_MS, STEP_MWH, UNTIMED_SLACK_MS, plausible_mwh

_ENERGY_UNITS = frozenset({"Wh", "kWh", "MWh"})
_POWER_UNITS = frozenset({"W", "kW", "MW"})
UNITS = {REGISTER: _ENERGY_UNITS, INTERVAL: _ENERGY_UNITS, POWER: _POWER_UNITS}
"""Units that fit a measurand: a kW, A or V without a measurand is no register."""

_LOCATIONS = ("Outlet", "Body", "Cable", "Inlet")
_PHASES = {"L1-N": "L1", "L2-N": "L2", "L3-N": "L3", "N": None}

LEAST_IN_KWH_MWH = 100_000
"""A start's register is looked at as one in kWh from here on: below, a thousandfold of it is soon charged."""

SILENT_MS = 3_600_000
"""A register that has been silent for so long while another went on gives way to that one."""


class Place(NamedTuple):
    """The samples of one location, without a phase or by phase."""

    location: str
    is_phased: bool

    @property
    def rank(self) -> tuple[int, str, bool]:
        """Where it stands among others; the lowest is taken."""
        known = self.location in _LOCATIONS
        return (_LOCATIONS.index(self.location) if known else len(_LOCATIONS), self.location, self.is_phased)


def phase_of(word: str) -> str | None:
    """Return the phase of a register, "" for none; None for the neutral, which no energy is of."""
    return _PHASES.get(word, word)


class Start(NamedTuple):
    """Where a stream begins: the register (mWh), None for unknown, and what says so.

    `source` is "" where nothing does: a first value near 0 is a session's own register. `unit_factor` is set where the
    register of the start, or the stream, seems to be in kWh. `other` is what a second source says that differs.
    """

    mwh: int | None
    source: str = ""
    unit_factor: float | None = None
    other: int | None = None


def start_of(
    *,
    meter_start: int | None,
    begin: int | None,
    first: tuple[int, int] | None,
    begun_at: int,
    power_w: int,
    usual_w: int,
    is_timed: bool,
) -> Start:
    """Return where a stream whose first value is `first` (ms, mWh) begins.

    Of a start's register and a Transaction.Begin sample that differ, the one that the stream follows counts; -1 and
    the like are none, and a 0 beside a begin is the default of a field that the station does not fill.
    """
    found = [Start(meter_start, "meter_start")] if meter_start is not None and meter_start >= 0 else []
    if begin is not None and begin >= 0:
        found.append(Start(begin, "begin_sample"))
    unit_factor = None
    following: list[Start] = []
    if first is not None:
        usual = plausible_mwh(usual_w, first[0] - begun_at)
        most = plausible_mwh(power_w, first[0] - begun_at, CLOCK_SLACK_MS if is_timed else UNTIMED_SLACK_MS)
        fitting = [each for each in found if not _is_thousandth(each.mwh or 0, first[1], usual)]
        unit_factor = 1000.0 if len(fitting) < len(found) else None
        found = fitting
        if not found and unit_factor is None and is_timed and first[1] <= usual:
            return Start(0)
        following = [each for each in found if 0 <= first[1] - (each.mwh or 0) <= most]
    if not found:
        return Start(None, unit_factor=unit_factor)
    is_disputed = len(found) == 2 and _differ(found[0].mwh or 0, found[1].mwh or 0)
    if is_disputed and following:
        chosen = max(following, key=lambda each: each.mwh or 0)
    else:
        chosen = found[0] if found[0].mwh else found[-1]
    others = [each.mwh for each in found if each is not chosen and is_disputed and found[0].mwh]
    return chosen._replace(unit_factor=unit_factor, other=others[0] if others else None)


def _differ(start: int, begin: int) -> bool:
    coarse = start % STEP_MWH == 0 or begin % STEP_MWH == 0
    return abs(start - begin) > (STEP_MWH if coarse else STEP_MWH // 10)


def _is_thousandth(start: int, value: int, usual: int) -> bool:
    """Whether a start's register and the first value differ by the factor between Wh and kWh, and by what was usual
    meanwhile: the start is in kWh, or the stream.
    """
    if min(start, value) < LEAST_IN_KWH_MWH:
        return False
    rise = value - 1000 * start if start < value else 1000 * value - start
    return -STEP_MWH <= rise <= STEP_MWH + usual
