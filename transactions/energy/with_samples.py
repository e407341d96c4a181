"""What the samples counted, weighed against the register of the stop."""

from transactions.energy.counter import Counter
from transactions.energy.draft import Draft
from transactions.energy.facts import Facts
from transactions.energy.line import Kind
from transactions.energy.quantities import apart
from transactions.energy.verdict import EnergyMark, Method


def weigh(facts: Facts, counter: Counter) -> Draft:
    """Return the draft of a transaction whose samples say something."""
    counted, between, stop = counter.energy, facts.between, facts.stop
    if stop is None:
        return _without_stop(facts, counter)
    if between is not None and facts.is_between_plausible and facts.agree(between, counted):
        draft = _by_registers(facts, between)
        # What was left out is settled by registers that agree with the rest; not by a stop that repeats what was told
        # before, nor where they agree only because of what no sample saw.
        is_settled = 0 < between <= counted + apart(counted) and stop != counter.lines[-1].value
        kinds = counter.kinds() & ~Kind.ELSEWHERE
        draft.mark_kinds(kinds & Kind.IMPLAUSIBLE if is_settled else kinds)
        return draft
    if between != 0 and counter.goes_on(facts.stopped_at, stop) and not _is_nearer(facts, counter, stop):
        return _with_stop_behind(facts, counter, stop)
    if between is not None and between > 0 and stop >= counter.lines[0].value and facts.is_between_plausible:
        draft = _by_registers(facts, between)
        draft.mark(EnergyMark.REGISTERS_DISAGREE, "samples", counted)
        draft.mark_kinds(counter.kinds())
        return draft
    draft = _by_samples(facts, counter)
    draft.mark(EnergyMark.STOP_IGNORED, "registers", between)
    if between is not None and between < 0:
        draft.mark(EnergyMark.METER_REGRESSION)
    elif between is not None and between > facts.most:
        draft.mark(EnergyMark.IMPLAUSIBLE_ENERGY)
    return draft


def _is_nearer(facts: Facts, counter: Counter, stop: int) -> bool:
    """Whether the energy by registers is nearer to the counted one than the stop's register to the last sample."""
    if facts.between is None or not facts.is_between_plausible or counter.register is None:
        return False
    return abs(facts.between - counter.energy) < stop - counter.register


def _with_stop_behind(facts: Facts, counter: Counter, stop: int) -> Draft:
    """The stop's register goes on from the samples: it is the last of them."""
    counted, between = counter.energy, facts.between
    counter = counter.copy()
    counter.feed(max(facts.stopped_at, counter.at), stop)
    if between is not None and between == counter.energy and len(counter.lines) == 1:
        draft = _by_registers(facts, between)
        draft.mark(EnergyMark.REGISTERS_DISAGREE, "samples", counted)
        draft.mark_kinds(counter.kinds())
        return draft
    draft = _by_samples(facts, counter)
    draft.method = Method.MIXED
    draft.rests_on = (*draft.rests_on, "meter_stop")
    if between is not None:
        draft.figures.append(("registers", between))
        if between < 0:
            draft.mark(EnergyMark.METER_REGRESSION)
        elif facts.is_between_plausible:
            draft.mark(EnergyMark.REGISTERS_DISAGREE)
    return draft


def _without_stop(facts: Facts, counter: Counter) -> Draft:
    """It runs, or ended without a register: the samples count, and the register of the next start is a bound above."""
    draft = _by_samples(facts, counter)
    start = facts.start
    if not start.source or start.mwh is None or len(counter.lines) > 1:
        return draft
    if facts.sources[-1:] == ("end_sample",):
        draft.method = Method.REGISTERS
    if facts.next_start is not None and not facts.is_open:
        counted, bound = counter.energy, facts.next_start - start.mwh
        if 0 <= bound < counted - apart(counted):
            draft.energy, draft.register = bound, facts.next_start
            draft.method, draft.rests_on = Method.ESTIMATED, (start.source, "next_start")
            draft.mark(EnergyMark.REGISTERS_DISAGREE, "samples", counted)
    return draft


def _by_registers(facts: Facts, between: int) -> Draft:
    return Draft(between, Method.REGISTERS, (facts.start.source, *facts.sources, "meter_stop"), register=facts.stop)


def _by_samples(facts: Facts, counter: Counter) -> Draft:
    energy, start, kinds = counter.energy, facts.start, counter.kinds()
    register = counter.register
    if kinds & Kind.SESSION:
        register = None if start.mwh is None else start.mwh + energy
    draft = Draft(energy, Method.SAMPLES, (*((start.source,) if start.source else ()), *facts.sources), register)
    draft.mark_kinds(kinds)
    return draft
