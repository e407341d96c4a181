"""What a connector gave over time: charts and roll-ups."""

from random import Random

import pytest

from tests.support.energy_evidence import at, begin, sample
from tests.support.energy_sessions import session
from transactions.energy.evidence import REGISTER, Sample
from transactions.energy.over_time import Increment, increments

LIFE = 16_000_000
QUARTER = 900


def every_quarter(*values: float, **words) -> list[Sample]:
    return [sample(QUARTER * number, value, **words) for number, value in enumerate(values)]


def total(samples) -> float:
    return sum(each.energy_wh for each in increments(samples))


def in_sessions(count: int) -> tuple[list[Sample], list[Sample]]:
    """Return the lifetime's register and the session's of sessions with 5000 Wh each, a day between."""
    life, own = [], []
    for number in range(count):
        for quarter in range(6):
            seconds = 86_400 * number + QUARTER * quarter
            life.append(sample(seconds, LIFE + 5000 * number + 1000 * quarter))
            own.append(sample(seconds, 1000 * quarter))
    return life, own


def test_increments_have_their_times() -> None:
    assert increments(every_quarter(LIFE, LIFE + 1000, LIFE + 1000, 300, 800)) == [
        Increment(at(0), at(900), 1000, False),
        Increment(at(1800), at(2700), 300, True),
        Increment(at(2700), at(3600), 500, False),
    ]


SERIES = {
    "reads 0 once": (every_quarter(LIFE, LIFE + 1000, 0, LIFE + 3000), 3000),
    "reads 2^32-1 once": (every_quarter(LIFE, LIFE + 1000, 2**32 - 1, LIFE + 3000), 3000),
    "begins anew": (every_quarter(LIFE, LIFE + 1000, 0, 1000, 2000), 3000),
    "begin samples beside it": (
        [*every_quarter(150_000, 151_000, 152_000), *[begin(QUARTER * n, 150_000) for n in range(3)]], 2000),
    "grid side beside it": (
        [*every_quarter(LIFE, LIFE + 1000), *every_quarter(5000, 6200, location="Inlet")], 1000),
    "phases": ([each for name in ("L1", "L2", "L3") for each in every_quarter(100, 600, 900, phase=name)], 2400),
    "phases beside the whole": (
        [*every_quarter(300, 1800), *[each for name in ("L1", "L2", "L3")
                                      for each in every_quarter(100, 600, phase=name)]], 1500),
    "other units": ([*every_quarter(LIFE, LIFE + 1000), *every_quarter(7, 8000, 9, unit="kW")], 1000),
    "rolls over at last": (every_quarter(999_000, 999_900, 600), 1600),
    "nothing": ([], 0),
    "one value": (every_quarter(LIFE), 0),
}  # fmt: skip


@pytest.mark.parametrize("name", SERIES)
def test_energy_over_time(name: str) -> None:
    samples, energy_wh = SERIES[name]
    assert total(samples) == energy_wh


@pytest.mark.parametrize("delay_s", [0, 7, 400])
def test_session_register_and_lifetime_register_never_add_up(delay_s: int) -> None:
    life, own = in_sessions(4)
    late = [
        sample(0, each.value, context="Sample.Clock")._replace(at=each.at + (at(delay_s) - at(0))) for each in life
    ]
    assert total([*own, *late]) == pytest.approx(20_000, abs=1000)
    assert total(own) == 20_000
    assert total(life) == 20_000


def test_place_that_changes_its_name_goes_on() -> None:
    before = every_quarter(LIFE, LIFE + 1000, LIFE + 2000, location="Body")
    after = [sample(7200 + QUARTER * n, LIFE + 2000 + 500 * n) for n in range(4)]
    assert total([*before, *after]) == 3500


def test_first_and_last_of_each_stretch_do_as_well_as_all() -> None:
    values = [LIFE + 100 * n for n in range(61)]
    values[20] = 0
    values[30] = 2**32 - 1
    all_of_them = [sample(60 * n, value) for n, value in enumerate(values)]
    assert total(all_of_them) == 6000
    assert total([each for n, each in enumerate(all_of_them) if n % 15 in (0, 14)]) == 6000


@pytest.mark.parametrize("seed", range(100))
def test_honest_sessions_come_to_what_the_samples_saw(seed: int) -> None:
    made = session(Random(seed), faults=())
    registers = [each for each in made.evidence.samples if each.measurand == REGISTER and each.unit == "Wh"]
    running = [each for each in registers if each.context == "Sample.Periodic"]
    seen = [each.value for each in running if each.location == "Outlet" and not each.phase]
    rise = max(seen) - min(seen) if seen else 0
    assert total(running) == pytest.approx(rise, abs=made.resolution_wh + 1)
    assert all(each.energy_wh >= 0 for each in increments(running))
