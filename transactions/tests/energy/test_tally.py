"""Which samples count, and message by message as all at once."""

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from random import Random

import pytest

from tests.support.energy_evidence import at, begin, end, evidence, sample, watts
from tests.support.energy_sessions import FAULTS, session
from transactions.energy.counter import Taken
from transactions.energy.evidence import INTERVAL, Evidence, Sample
from transactions.energy.judging import conclude, judge
from transactions.energy.tally import Tally, UnknownState

PHASES = ("L1", "L2", "L3")


def tally(start, *messages: Iterable[Sample], begun: float = -60, **others) -> Tally:
    made = Tally(started_at=at(begun), meter_start_wh=start, **others)
    for message in messages:
        made.add(message)
    return made


def counted_wh(made: Tally) -> float:
    register = made.chosen()
    assert register is not None
    assert register.counter is not None
    return register.counter.energy / 1000


def phases(seconds: float, *values: float, names: Iterable[str] = PHASES, **words) -> list[Sample]:
    return [sample(seconds, value, phase=name, **words) for name, value in zip(names, values, strict=True)]


CHOSEN = {
    "outlet before all": (
        [sample(-30, 1500), *[sample(-30, 9900, location=where) for where in ("Body", "Cable", "Inlet", "EV")]], 500),
    "body before cable": ([sample(-30, 1500, location="Body"), sample(-30, 9900, location="Cable")], 500),
    "cable before inlet": ([sample(-30, 1500, location="Cable"), sample(-30, 9900, location="Inlet")], 500),
    "inlet alone": ([sample(-30, 1500, location="Inlet")], 500),
    "no phase before phases": ([sample(-30, 1500), *phases(-30, 900, 900, 900)], 500),
    "outlet by phase before body": ([*phases(-30, 500, 400, 600), sample(-30, 9900, location="Body")], 500),
    "phases are added": (phases(-30, 500, 400, 600), 500),
    "one phase there is": (phases(-30, 1500, names=["L2"]), 500),
    "phases to the neutral": (phases(-30, 500, 400, 600, names=["L1-N", "L2-N", "L3-N"]), 500),
    "the neutral is none": ([*phases(-30, 500, 400, 600), sample(-30, 77, phase="N")], 500),
    "register of nothing but 0 gives way": (
        [sample(-40, 0), sample(-30, 0), sample(-30, 1500, location="Body")], 500),
    "register that fell silent gives way": (
        [sample(-7000, 1100), sample(-3000, 1400, location="Inlet"), sample(-30, 1500, location="Inlet")], 500),
    "no number": ([sample(-40, 1500), sample(-30, None), sample(-30, float("nan"))], 500),
    "another measurand": ([sample(-40, 1500), sample(-30, 9900, measurand="Energy.Active.Export.Register")], 500),
    "unit of reactive energy": ([sample(-40, 1500), sample(-30, 9900, unit="varh")], 500),
    "context of the clock": ([sample(-40, 1400), sample(-30, 1500, context="Sample.Clock")], 500),
    "context of an interruption": ([sample(-40, 1400), sample(-30, 1500, context="Interruption.Begin")], 500),
}  # fmt: skip


@pytest.mark.parametrize("name", CHOSEN)
def test_register_that_counts(name: str) -> None:
    samples, energy_wh = CHOSEN[name]
    assert counted_wh(tally(1000, samples, begun=-7200)) == energy_wh


def test_order_within_a_message_says_nothing() -> None:
    samples = [*phases(-30, 500, 400, 600), *phases(-20, 510, 410, 610), sample(-20, 9900, location="Inlet")]
    for seed in range(20):
        Random(seed).shuffle(samples)
        assert counted_wh(tally(1000, samples)) == 530


def test_phase_that_is_missing_at_an_instant_counts_as_it_was() -> None:
    given = [*phases(-40, 500, 400, 600), *phases(-30, 700, 450, names=["L1", "L3"]), *phases(-20, 700, 400, 700)]
    assert counted_wh(tally(1000, given)) == 800
    assert counted_wh(tally(1000, given[:5])) == 550


def test_phases_of_two_contexts_are_not_added() -> None:
    given = [*phases(-30, 500, 400, 600), *phases(-30, 500, 400, 600, context="Sample.Clock")]
    assert counted_wh(tally(1000, given)) == 500


def test_begin_and_end_by_phase_are_added() -> None:
    given = [
        *[begin(-50, value, phase=name) for name, value in zip(PHASES, (300, 300, 400), strict=True)],
        *phases(-30, 500, 400, 600),
        *[end(0, value, phase=name) for name, value in zip(PHASES, (600, 500, 700), strict=True)],
    ]
    verdict = judge(evidence(None, *given, ended=0))
    assert (verdict.energy_wh, verdict.rests_on) == (800, ("begin_sample", "samples", "end_sample"))


def test_end_of_another_place_counts_where_it_goes_on() -> None:
    given = [sample(-30, 1500, location="Body")]
    assert judge(evidence(1000, *given, end(0, 1600), ended=0)).energy_wh == 600
    assert judge(evidence(1000, *given, end(0, 77_000_000), ended=0)).energy_wh == 500


LATE = {
    "register before the last one": ([[sample(-30, 1500)], [sample(-20, 1600)], [sample(-25, 1700)]], True),
    "register between the last ones": ([[sample(-30, 1500)], [sample(-20, 1600)], [sample(-25, 1550)]], False),
    "register told again": ([[sample(-30, 1500)], [sample(-20, 1600)], [sample(-20, 1600)]], False),
    "begin that nobody knew of": ([[sample(-30, 1500)], [begin(-50, 1100)]], True),
    "begin told again": ([[begin(-50, 1100), sample(-30, 1500)], [begin(-20, 1100), sample(-20, 1600)]], False),
    "second phase": ([phases(-30, 1500, names=["L1"]), phases(-20, 1500, 10, names=["L1", "L2"])], True),
    "end": ([[end(-20, 1600)], [sample(-30, 1500)]], False),
    "power": ([[watts(-20, 7000)], [watts(-30, 7000)]], False),
}


@pytest.mark.parametrize("name", LATE)
def test_what_comes_late_makes_it_outdated(name: str) -> None:
    messages, is_outdated = LATE[name]
    given = tally(None if "begin" in name else 1000, *messages)
    assert given.is_outdated is is_outdated


def test_answer_is_the_worst_of_its_samples() -> None:
    given = tally(1000, [sample(-30, 1500), sample(-20, 1600)])
    assert given.add([sample(-10, 1700)]) is Taken.IN_ORDER
    assert given.add([sample(-10, 1700), sample(-5, 1800)]) is Taken.SEEN
    assert given.add([sample(-15, 9000), sample(-1, 1900)]) is Taken.LATE


def messages_of(given: Evidence) -> Iterator[list[Sample]]:
    for _, group in groupby(sorted(given.samples, key=lambda each: each.at), key=lambda each: each.at):
        yield list(group)


@pytest.mark.parametrize("seed", range(250))
def test_message_by_message_is_as_all_at_once(seed: int) -> None:
    random = Random(seed)
    given = session(random, faults=FAULTS if seed % 2 else ()).evidence
    running = Evidence(given.started_at, given.meter_start_wh, max_power_w=given.max_power_w)
    made = Tally(started_at=given.started_at, meter_start_wh=given.meter_start_wh, max_power_w=given.max_power_w)
    told: list[Sample] = []
    for message in messages_of(given):
        told += message
        random.shuffle(message)
        made.add(message)
        assert not made.is_outdated
        made = Tally.load(json.loads(json.dumps(made.dump())))
        assert conclude(made, running) == judge(running._replace(samples=told))
    assert conclude(made, given) == judge(given)


def test_order_of_messages_says_nothing_once_all_are_fed_again() -> None:
    for seed in range(100):
        given = session(Random(seed)).evidence
        shuffled = list(given.samples)
        Random(seed).shuffle(shuffled)
        assert judge(given._replace(samples=shuffled)) == judge(given)


def test_state_of_another_version_is_refused() -> None:
    state = tally(1000, [sample(-30, 1500)]).dump()
    with pytest.raises(UnknownState):
        Tally.load([state[0] + 1, *state[1:]])


def test_state_is_small() -> None:
    made = tally(1000, *[[sample(60 * n, 1000.5 + n), watts(60 * n, 7400)] for n in range(1000)])
    assert len(json.dumps(made.dump(), separators=(",", ":"))) < 500


@pytest.mark.parametrize(
    ("value", "can"), [(1000, True), (1500, True), (999, False), (0, False), (98_000_000, False), (None, True)]
)
def test_samples_of_no_transaction_fit_where_a_register_goes_on(value, can: bool) -> None:
    given = [sample(-30, value), watts(-30, 7000)]
    assert tally(1000).can_take(given) is can
    assert tally(900, [sample(-40, 1000)]).can_take(given) is can


def test_samples_of_no_transaction_fit_where_nothing_says_otherwise() -> None:
    assert tally(None).can_take([sample(-30, 9000)])
    assert tally(1000).can_take([watts(-30, 9000), *phases(-30, 1, 2, 3)])


def test_intervals_and_power_are_added_by_place() -> None:
    made = tally(
        1000,
        [sample(-40, 250, measurand=INTERVAL), sample(-40, 300, measurand=INTERVAL, location="Inlet")],
        [sample(-30, 250, measurand=INTERVAL), watts(-3600, 1000), watts(-1800, 3000)],
    )
    assert sum(made.intervals.values()) == 800_000
    assert [power.mwh for power in made.powers.values()] == [1_000_000]
