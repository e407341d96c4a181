"""The rules by which evidence becomes a verdict (docs/energy.md has them as a table)."""

from transactions.energy.counter import Counter
from transactions.energy.draft import Draft
from transactions.energy.evidence import Evidence
from transactions.energy.facts import Facts, facts_of
from transactions.energy.quantities import to_mwh
from transactions.energy.tally import Tally
from transactions.energy.verdict import EnergyMark, Method, Verdict
from transactions.energy.with_samples import weigh
from transactions.energy.without_samples import conclude_without_samples

FLOW_MWH, FLOW_TIMES = 1_000_000, 10
"""Registers and power contradict each other from 1 kWh and this many times on."""

UNIT_MWH, UNIT_LEAST, UNIT_MOST = 100_000, 300, 3000
"""A unit is suspected from 100 Wh on, where one is between so many times the other."""

COVERED_PERCENT = 80
"""Power has to cover so much of a session to say that registers count too much."""


def judge(evidence: Evidence) -> Verdict:
    """Return the verdict on all evidence of one transaction."""
    tally = Tally(
        started_at=evidence.started_at,
        meter_start_wh=evidence.meter_start_wh,
        max_power_w=evidence.max_power_w,
        is_timed=evidence.is_timed,
    )
    tally.add(evidence.samples)
    return conclude(tally, evidence)


def conclude(tally: Tally, evidence: Evidence) -> Verdict:
    """Return the verdict where a tally has the samples already; those of `evidence` are not looked at."""
    facts = facts_of(tally, evidence)
    counter = facts.counter
    if counter is not None and _says_anything(facts, counter):
        draft = weigh(facts, counter)
    else:
        draft = conclude_without_samples(facts)
    _look_at_start(facts, draft)
    _hold_against_flow(facts, draft)
    corrected = to_mwh(evidence.corrected_wh)
    return (draft if corrected is None else _corrected(draft, corrected)).verdict()


def _says_anything(facts: Facts, counter: Counter) -> bool:
    """Whether samples say what was charged: one value of a register whose start is unknown does not."""
    if not counter.has_counted:
        return False
    if facts.start.source or counter.energy:
        return True
    stop = facts.stop
    return stop is not None and stop != counter.register and counter.goes_on(facts.stopped_at, stop)


def _look_at_start(facts: Facts, draft: Draft) -> None:
    """Mark a start that is unknown, that two sources say differently, or that seems to be in another unit."""
    start = facts.start
    if not start.source and "samples" in draft.rests_on:
        draft.mark(EnergyMark.START_UNKNOWN)
    if start.other is not None and start.mwh is not None and draft.energy is not None:
        source = "begin_sample" if start.source == "meter_start" else "meter_start"
        draft.mark(EnergyMark.REGISTERS_DISAGREE, source, draft.energy + start.mwh - start.other)
    if start.unit_factor is not None:
        draft.mark(EnergyMark.UNIT_SUSPECT)
        draft.unit_factor = start.unit_factor


def _hold_against_flow(facts: Facts, draft: Draft) -> None:
    """Mark an energy that intervals or power over time contradict, and a unit that would explain it."""
    flow, energy = facts.flow, draft.energy
    if flow is None:
        return
    if facts.between is not None and facts.between > facts.most and _is_thousandfold(facts.between, flow.mwh):
        draft.mark(EnergyMark.UNIT_SUSPECT)
        draft.unit_factor = 0.001
    if energy is None or flow.source in draft.rests_on:
        return
    if _is_thousandfold(flow.mwh, energy):
        draft.mark(EnergyMark.UNIT_SUSPECT, flow.source, flow.mwh)
        draft.unit_factor = 1000.0
    elif flow.mwh >= FLOW_MWH and flow.mwh >= FLOW_TIMES * energy:
        draft.mark(EnergyMark.REGISTERS_DISAGREE, flow.source, flow.mwh)
    elif energy >= FLOW_MWH and energy >= FLOW_TIMES * flow.mwh and _is_covered(facts):
        if _is_thousandfold(energy, flow.mwh):  # the unit of the power, which nothing is billed by
            draft.figures.append((flow.source, flow.mwh))
        else:
            draft.mark(EnergyMark.REGISTERS_DISAGREE, flow.source, flow.mwh)


def _is_thousandfold(high: int, low: int) -> bool:
    return low > 0 and high >= UNIT_MWH and UNIT_LEAST * low <= high <= UNIT_MOST * low


def _is_covered(facts: Facts) -> bool:
    covered = None if facts.flow is None else facts.flow.covered_ms
    return covered is None or covered * 100 >= facts.duration * COVERED_PERCENT


def _corrected(draft: Draft, energy: int) -> Draft:
    """Return staff's figure, the judged one beside it; a correction leaves nothing to look at."""
    figures = [*draft.figures] if draft.energy is None else [(draft.method.value, draft.energy), *draft.figures]
    return Draft(energy, Method.CORRECTED, ("staff",), draft.register, figures=figures)
