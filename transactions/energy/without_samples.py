"""Energy where no sample says anything: the registers of start and stop alone, else what else there is."""

from transactions.energy.draft import Draft
from transactions.energy.facts import Facts
from transactions.energy.line import Kind
from transactions.energy.quantities import apart
from transactions.energy.rollover import COMMON, rollover_rise
from transactions.energy.verdict import EnergyMark, Method

ROLLED_SHARE = 50
"""Registers of start and stop alone are a rollover where the start is within a 50th of a modulus."""


def conclude_without_samples(facts: Facts) -> Draft:
    """Return the draft of a transaction whose samples say nothing; what was left out of them is marked."""
    kinds = Kind.NONE if facts.counter is None else facts.counter.kinds()
    draft = _by_registers(facts)
    if draft is not None:
        draft.mark_kinds(kinds & (Kind.IMPLAUSIBLE if facts.between else Kind.IMPLAUSIBLE | Kind.FALLEN))
        return draft
    draft = _last_resort(facts)
    draft.mark_kinds(kinds)
    if facts.stop is not None:
        draft.mark(EnergyMark.STOP_IGNORED, "registers", facts.between)
        if facts.between is not None and facts.between < 0:
            draft.mark(EnergyMark.METER_REGRESSION)
        elif facts.between is not None and facts.between > facts.most:
            draft.mark(EnergyMark.IMPLAUSIBLE_ENERGY)
    return draft


def _by_registers(facts: Facts) -> Draft | None:
    """Return what the registers of start and stop say; None where they say nothing that can be, or 0 against an energy
    that was known.
    """
    start, stop, between, known = facts.start, facts.stop, facts.between, facts.known
    if start.mwh is None or stop is None or between is None:
        return None
    draft = Draft(between, Method.REGISTERS, (start.source, "meter_stop"), register=stop)
    if facts.is_between_plausible:
        if known is not None and between < known - apart(known):
            if between == 0:
                return None
            draft.mark(EnergyMark.REGISTERS_DISAGREE, "known", known)
        return draft
    rolled = rollover_rise(start.mwh, stop, most=facts.most, closeness=ROLLED_SHARE, moduli=COMMON)
    if rolled is None:
        return None
    draft.energy = rolled
    draft.mark_kinds(Kind.ROLLOVER)
    return draft


def _last_resort(facts: Facts) -> Draft:
    """Return what an earlier verdict knew, else an estimate: by intervals, by the next start's register, by power."""
    start, flow, bound = facts.start, facts.flow, None
    if facts.known is not None:
        return Draft(facts.known, Method.SAMPLES, ("known",))
    if facts.next_start is not None and start.source and start.mwh is not None:
        bound = facts.next_start - start.mwh
    estimate = None
    if flow is not None and flow.source == "interval":
        estimate = Draft(flow.mwh, Method.ESTIMATED, (flow.source,))
    elif bound is not None and 0 <= bound <= facts.most:
        estimate = Draft(bound, Method.ESTIMATED, (start.source, "next_start"), register=facts.next_start)
    elif flow is not None:
        estimate = Draft(flow.mwh, Method.ESTIMATED, (flow.source,))
    if estimate is not None:
        estimate.mark(EnergyMark.ENERGY_ESTIMATED)
        return estimate
    if facts.is_open and start.source:
        return Draft(0, Method.REGISTERS, (start.source,), register=start.mwh)
    draft = Draft(None, Method.UNKNOWN, ())
    draft.mark(EnergyMark.ENERGY_UNKNOWN)
    return draft
