"""Any stream of honest increments, whatever a charger makes of it: near the truth or marked, and never out of bounds.

ENERGY_EXAMPLES (150) is how many examples hypothesis tries of each property; 2,000 and more before a release.
"""

import json
import os
from datetime import timedelta
from decimal import Decimal
from itertools import groupby
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.energy_sessions import FAULTS, STARTED_AT, at, session
from transactions.energy.evidence import BEGIN, END, INTERVAL, POWER, REGISTER, Evidence, Sample
from transactions.energy.judging import conclude, judge
from transactions.energy.over_time import increments
from transactions.energy.quantities import limit_w, plausible_mwh
from transactions.energy.tally import Tally

EXAMPLES = int(os.environ.get("ENERGY_EXAMPLES", "150"))
some = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
SEEDS = 8 * EXAMPLES

numbers = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 10**6),
    st.floats(),
    st.floats(0, 1e7),
    st.decimals(min_value=-(10**19), max_value=10**19, places=3),
)
seconds = st.one_of(st.integers(-600, 40_000), st.sampled_from([0, 60, 900, 900.001]))
samples = st.builds(
    Sample,
    at=seconds.map(at),
    value=numbers,
    measurand=st.sampled_from([REGISTER, REGISTER, REGISTER, INTERVAL, POWER, "Voltage"]),
    phase=st.sampled_from(["", "", "", "L1", "L2", "L3", "L1-N", "N", "L1-L2", "?"]),
    location=st.sampled_from(["Outlet", "Outlet", "Body", "Inlet", ""]),
    context=st.sampled_from(["Sample.Periodic", "Sample.Periodic", "Sample.Clock", BEGIN, END, "Other"]),
    unit=st.sampled_from(["Wh", "Wh", "kWh", "W", "kW", "A", ""]),
    is_timed=st.booleans(),
)
anything = st.builds(
    Evidence,
    started_at=st.just(STARTED_AT),
    meter_start_wh=numbers,
    samples=st.lists(samples, max_size=25),
    stopped_at=st.one_of(st.none(), seconds.map(at)),
    meter_stop_wh=numbers,
    is_timed=st.booleans(),
    max_power_w=st.sampled_from([None, 0, 3700, 22_000.5, Decimal(150_000), float("nan")]),
    next_start_wh=numbers,
    known_wh=st.one_of(st.none(), st.floats(0, 1e6)),
    corrected_wh=st.none(),
)


@some
@given(st.randoms(use_true_random=False), st.sets(st.sampled_from(FAULTS), max_size=3))
def test_energy_is_near_the_truth_or_marked(random: Random, faults: set[str]) -> None:
    made = session(random, faults=tuple(sorted(faults)))
    verdict = judge(made.evidence)
    assert made.complaint(verdict.energy_wh, verdict.marks) == ""


def test_energy_is_near_the_truth_or_marked_for_many() -> None:
    for seed in range(SEEDS):
        made = session(Random(seed))
        verdict = judge(made.evidence)
        assert made.complaint(verdict.energy_wh, verdict.marks) == "", seed


def test_honest_sessions_are_hardly_ever_marked() -> None:
    """A mark is somebody's work. Two in a thousand may have samples that could be something else."""
    marked, judged = [], 0
    for seed in range(SEEDS):
        made = session(Random(seed), faults=())
        measurands = {each.measurand for each in made.evidence.samples}
        if "honest" in made.faults or ("none" in made.faults and measurands == {REGISTER}):
            judged += 1
            marked += [(seed, mark) for mark in judge(made.evidence).marks]
    assert judged > SEEDS / 5
    assert len(marked) <= 1 + judged / 500, marked


@some
@given(st.randoms(use_true_random=False))
def test_energy_never_falls_with_evidence_that_agrees(random: Random) -> None:
    honest = session(random, faults=())
    made = honest.evidence
    running = made._replace(stopped_at=None, meter_stop_wh=None, samples=[])
    known = 0.0
    for _, group in groupby(made.samples, key=lambda each: each.at):
        running = running._replace(samples=[*running.samples, *group])
        energy_wh, method, *_ = judge(running)
        if energy_wh is not None and method != "estimated" and made.meter_start_wh is not None:
            assert energy_wh >= known - honest.resolution_wh - 0.01
            known = energy_wh


@some
@given(st.randoms(use_true_random=False), st.randoms(use_true_random=False))
def test_order_and_repetition_say_nothing(random: Random, other: Random) -> None:
    made = session(random).evidence
    registers = [each for each in made.samples if each.measurand != INTERVAL]
    once = judge(made._replace(samples=registers))
    again = [*registers, *other.sample(registers, k=len(registers) // 2)]
    other.shuffle(again)
    assert judge(made._replace(samples=again)) == once


@some
@given(st.randoms(use_true_random=False))
def test_zero_of_the_register_says_nothing(random: Random) -> None:
    made = session(random, faults=()).evidence
    moved = 40_000_000.0
    told = [
        each._replace(value=each.value + moved)
        for each in made.samples
        if each.measurand == REGISTER and each.unit == "Wh" and not each.phase and each.context != "Sample.Clock"
    ]
    if made.meter_start_wh and made.meter_stop_wh and made.meter_stop_wh > made.meter_start_wh > 200_000:
        here = judge(made._replace(samples=[each._replace(value=each.value - moved) for each in told]))
        there = judge(
            made._replace(
                samples=told, meter_start_wh=made.meter_start_wh + moved, meter_stop_wh=made.meter_stop_wh + moved
            )
        )
        assert there.energy_wh == pytest.approx(here.energy_wh, abs=0.01)


@some
@given(anything)
def test_anything_has_a_verdict_within_bounds(evidence: Evidence) -> None:
    verdict = judge(evidence)
    if verdict.energy_wh is None:
        assert "energy_unknown" in verdict.marks
        return
    assert verdict.energy_wh >= 0
    json.dumps(verdict._asdict())
    if set(verdict.rests_on) & {"interval", "power", "known"}:
        return
    last_at = max([evidence.stopped_at or STARTED_AT, *(each.at for each in evidence.samples)])
    day = timedelta(days=1)
    most = plausible_mwh(limit_w(evidence.max_power_w), round((last_at - STARTED_AT + day).total_seconds() * 1000))
    assert verdict.energy_wh <= most / 1000


@some
@given(anything)
def test_anything_message_by_message_is_as_at_once_or_outdated(evidence: Evidence) -> None:
    tally = Tally(
        started_at=evidence.started_at, meter_start_wh=evidence.meter_start_wh, max_power_w=evidence.max_power_w,
        is_timed=evidence.is_timed,
    )  # fmt: skip
    for _, group in groupby(sorted(evidence.samples, key=lambda each: each.at), key=lambda each: each.at):
        tally.add(group)
        tally = Tally.load(json.loads(json.dumps(tally.dump())))
    if not tally.is_outdated:
        assert conclude(tally, evidence) == judge(evidence)


@some
@given(st.lists(samples, max_size=40))
def test_anything_over_time_is_never_below_0(given_samples: list[Sample]) -> None:
    found = increments(given_samples)
    assert all(each.energy_wh >= 0 and each.since <= each.at for each in found)
