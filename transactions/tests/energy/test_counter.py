"""One stream of register values: what its falls and leaps are, told apart by what follows."""

import json

import pytest

from transactions.energy.counter import Counter, Taken
from transactions.energy.line import Kind, Rise
from transactions.energy.quantities import limit_w

ABSURD = 2**32 - 1
LIFE = 16_000_000


def counted(values, *, start=None, step_s=900, max_power_w=None, is_timed=True) -> Counter:
    """Feed values (Wh) `step_s` apart, or pairs of seconds and Wh, after a start's register at 0 s."""
    counter = Counter(limit_w(max_power_w), None if start is None else (0, 1000 * start), is_timed=is_timed, rises=[])
    for number, value in enumerate(values, 1):
        seconds, wh = value if isinstance(value, tuple) else (number * step_s, value)
        assert counter.feed(1000 * seconds, round(1000 * wh), is_timed) in (Taken.IN_ORDER, Taken.SEEN)
    assert sum(rise.mwh for rise in counter.rises) + counter.provisional().mwh == counter.energy
    return counter


SERIES = {
    "rises": ([LIFE, LIFE + 1000, LIFE + 3000], 3000, Kind.NONE),
    "stands still": ([LIFE, LIFE, LIFE], 0, Kind.NONE),
    "one value": ([LIFE], 0, Kind.NONE),
    "reads 0 once": ([LIFE, LIFE + 1000, 0, LIFE + 3000], 3000, Kind.GLITCH),
    "reads 0 for long": ([LIFE, LIFE + 1000, 0, 0, 0, 0, LIFE + 3000], 3000, Kind.GLITCH),
    "reads -1 once": ([LIFE, LIFE + 1000, -1, LIFE + 3000], 3000, Kind.GLITCH),
    "reads 2^32-1 once": ([LIFE, LIFE + 1000, ABSURD, LIFE + 3000], 3000, Kind.IMPLAUSIBLE),
    "reads 2^32-1 for long": ([LIFE, LIFE + 1000, ABSURD, ABSURD, ABSURD, LIFE + 3000], 3000, Kind.IMPLAUSIBLE),
    "two glitches after another": ([LIFE, LIFE + 1000, 0, ABSURD, LIFE + 3000], 3000, Kind.GLITCH | Kind.IMPLAUSIBLE),
    "spikes by what could just be": ([LIFE, LIFE + 1000, LIFE + 100_000, LIFE + 3000, LIFE + 4000], 4000, Kind.GLITCH),
    "falls at last": ([LIFE, LIFE + 1000, 0], 1000, Kind.FALLEN),
    "leaps at last": ([LIFE, LIFE + 1000, ABSURD], 1000, Kind.IMPLAUSIBLE),
    "begins anew": ([LIFE, LIFE + 1000, 0, 1000, 2000], 3000, Kind.RESET),
    "begins anew unseen": ([LIFE, LIFE + 1000, 700, 1700], 2700, Kind.RESET),
    "begins anew and stands": ([LIFE, LIFE + 1000, 0, 0, 0, 500], 1500, Kind.RESET),
    "begins anew twice": ([LIFE, LIFE + 1000, 0, 1000, 2000, 0, 400], 3400, Kind.RESET),
    "sessions after another": ([0, 4000, 9000, 9000, 0, 2000, 8000, 0, 1000], 18_000, Kind.RESET),
    "begins anew behind a glitch": ([LIFE, LIFE + 1000, ABSURD, 0, 1000], 2000, Kind.RESET | Kind.IMPLAUSIBLE),
    "goes on from a lower zero": ([LIFE, LIFE + 1000, 9_000_000, 9_000_500], 1500, Kind.SHIFT),
    "goes on from a far lower zero": ([LIFE, LIFE + 1000, 5_000_000, 5_000_500], 1500, Kind.SHIFT),
    "falls to more than half": ([9_000, 10_000, 6_000, 6_500], 1500, Kind.SHIFT),
    "short session, then another": ([0, 5000, 10, 3000], 8000, Kind.RESET),
    "spikes twice": (
        [LIFE, LIFE + 1000, LIFE + 100_000, LIFE + 3000, LIFE + 80_000, LIFE + 5000, LIFE + 6000],
        6000,
        Kind.GLITCH,
    ),
    "two values of one instant, far apart": (
        [(0, LIFE), (900, LIFE + 1000), (900, LIFE + 30_000)],
        1000,
        Kind.IMPLAUSIBLE,
    ),
    "stands still in another resolution, then leaps": (
        [(0, LIFE), (3600, LIFE - 100), (3660, LIFE + 60_000)],
        0,
        Kind.IMPLAUSIBLE,
    ),
    "goes on from a higher zero": ([LIFE, LIFE + 1000, 90_000_000, 90_000_500], 1500, Kind.JUMP),
    "rolls over": ([999_000, 999_900, 600, 1600], 2600, Kind.ROLLOVER),
    "rolls over at last": ([999_000, 999_900, 600], 1600, Kind.ROLLOVER),
    "rolls over 2^24": ([2**24 - 2000, 2**24 - 1000, 500], 2500, Kind.ROLLOVER),
    "rounds": ([58_034.4, 58_034.3, 58_034.4, 58_040], 5.6, Kind.NONE),
    "has two resolutions": ([58_034, 58_000, 58_340, 58_000, 59_000, 59_100], 1066, Kind.NONE),
    "lost some at a restart": ([LIFE, LIFE + 900, LIFE + 400, LIFE + 600, LIFE + 800], 1300, Kind.SHIFT),
}


@pytest.mark.parametrize("name", SERIES)
def test_series_without_a_start(name: str) -> None:
    values, energy_wh, kinds = SERIES[name]
    counter = counted(values)
    assert (counter.energy / 1000, counter.kinds()) == (energy_wh, kinds)


STARTED = {
    "follows the start": ([1500, 2500], 1000, 1500, Kind.NONE),
    "counts from 0": ([110, 230, 350], 4_200_000, 350, Kind.SESSION),
    "counts from 0, one value": ([110], 4_200_000, 110, Kind.SESSION),
    "counts from 0, nothing yet": ([0, 0, 0], 4_200_000, 0, Kind.SESSION),
    "counts from 0, later the start's": ([110, 230, 4_200_350], 4_200_000, 350, Kind.NONE),
    "glitch after the start": ([0, 50_400], 50_000, 400, Kind.GLITCH),
    "spike after the start": ([30_000, 1500], 1000, 500, Kind.GLITCH),
    "coarser than the start": ([150_000, 150_000, 151_000], 150_234, 766, Kind.NONE),
    "far above the start": ([16_000_000, 16_000_400], 0, 400, Kind.ELSEWHERE),
    "far above the start, one value": ([16_000_000], 0, 0, Kind.IMPLAUSIBLE),
    "far below the start": ([9_000_000, 9_000_400], 16_000_000, 400, Kind.ELSEWHERE),
    "rolls over behind the start": ([20, 120], 999_950, 170, Kind.ROLLOVER),
    "counts from 0 beside a modulus that few have": ([110], 4_192_000, 110, Kind.SESSION),
    "may have rolled over": ([2_000, 2_500], 995_000, 2500, Kind.SESSION | Kind.FALLEN),
}


@pytest.mark.parametrize("name", STARTED)
def test_series_behind_a_start(name: str) -> None:
    values, start, energy_wh, kinds = STARTED[name]
    counter = counted(values, start=start, step_s=30)
    assert (counter.energy / 1000, counter.kinds()) == (energy_wh, kinds)


def two_in_turn(pattern: str) -> list[tuple[int, float]]:
    """Return values of a lifetime's register (L) and a session's (s), 100 Wh a minute."""
    return [(60 * n, (LIFE if which == "L" else 3000) + 100 * n) for n, which in enumerate(pattern)]


@pytest.mark.parametrize("pattern", ["LsLsLsLsL", "sLsLsLsLs", "LLssLLssL", "LLsLLsLLL", "LsssssssL", "ssLssLssLss"])
def test_two_registers_in_turn_never_add_up(pattern: str) -> None:
    last = 8 if pattern.startswith("L") else max(n for n, each in enumerate(pattern) if each == "s")
    assert counted(two_in_turn(pattern)).energy == 100_000 * last


@pytest.mark.parametrize("pattern", ["LsLsLsLsL", "sLsLsLsLs", "LsLsLs"])
def test_two_registers_in_turn_are_no_glitches(pattern: str) -> None:
    assert counted(two_in_turn(pattern)).kinds() == Kind.NONE


def test_two_registers_of_one_instant() -> None:
    values = [(60 * n, value) for n in range(9) for value in (100 * n, LIFE + 100 * n)]
    assert (counted(values).energy, counted(values).kinds()) == (800_000, Kind.NONE)


def test_two_registers_of_one_instant_behind_the_start_of_one() -> None:
    values = [(60 * n, value) for n in range(1, 9) for value in (100 * n, LIFE + 100 * n)]
    counter = counted(values, start=LIFE)
    assert (counter.energy, counter.kinds(), counter.register) == (800_000, Kind.NONE, 1000 * (LIFE + 800))


def test_second_register_begins_anew_beside_the_first() -> None:
    """Sessions of 500 Wh each beside the lifetime's register, in other messages."""
    values = []
    for n in range(30):
        values += [(60 * n, LIFE + 100 * n), (60 * n + 20, 100 * (n % 5))]
    assert counted(values).energy == 2_900_000


def test_fall_behind_one_glitch_is_no_second_register() -> None:
    counter = counted([48_000, 49_000, 10_000, 49_500, 21_000], step_s=30)
    assert counter.kinds() & Kind.FALLEN


def test_second_register_is_no_spike_of_the_first() -> None:
    values = [(3473, 144_748), (3473, 294_982), (4373, 160_015), (4373, 310_249)]
    counter = counted(values, start=150_234)
    assert (counter.energy, counter.kinds()) == (160_015_000, Kind.NONE)


def test_second_register_that_could_be_the_first_is_told_by_its_distance() -> None:
    """Sampled so rarely that the session's register could be the lifetime's next value."""
    values = [(1247, 46_700), (1247, 197_000), (5747, 101_900), (5747, 252_100), (10_894, 308_800), (10_894, 459_100)]
    assert counted(values, start=150_234).energy == 308_866_000


def test_first_register_goes_on_behind_two_sessions_of_the_second() -> None:
    values = [(0, LIFE), (60, 3000), (120, 3100), (180, 500), (240, 600), (300, LIFE + 700)]
    assert (counted(values).energy, counted(values[:-1]).energy) == (700_000, 3_700_000)


def test_increment_above_what_can_be_given_is_left_out() -> None:
    # 24.2 kW for 900 + 300 s and a step: 9,067 Wh.
    assert counted([LIFE, LIFE + 9_000, LIFE + 10_000], max_power_w=22_000).energy == 10_000_000
    assert counted([LIFE, LIFE + 9_100, LIFE + 10_000], max_power_w=22_000).energy == 900_000
    assert counted([LIFE, LIFE + 9_100, LIFE + 10_000]).energy == 10_000_000


def test_many_small_increments_are_no_more_than_can_be_given() -> None:
    values = [(10 * n, LIFE + 1000 * n) for n in range(100)]  # 360 kW
    counter = counted(values, max_power_w=22_000)
    assert counter.energy <= 24_200 * (990 + 300) / 3.6 + 1_000_000
    assert counter.kinds() & (Kind.JUMP | Kind.IMPLAUSIBLE)


def test_times_of_receipt_do_not_limit_what_was_queued() -> None:
    values = [(n, LIFE + 5000 * n) for n in range(10)]
    assert counted(values, max_power_w=22_000, is_timed=False).energy == 45_000_000
    assert counted(values, max_power_w=22_000).energy < 45_000_000


def test_value_before_the_start_counts_at_the_start() -> None:
    counter = Counter(500_000, (60_000, 1_000_000))
    assert counter.feed(1_000, 1_500_000) is Taken.IN_ORDER
    assert counter.energy == 500_000


LATER = [
    (4_000, 1_000, Taken.SEEN),
    (3_000, 800, Taken.SEEN),
    (1_000, 100, Taken.SEEN),
    (2_000, 500, Taken.COVERED),
    (3_500, 900, Taken.COVERED),
    (2_000, 1_100, Taken.LATE),
    (500, 50, Taken.LATE),
    (4_000, 900, Taken.COVERED),
    (4_000, 1_001, Taken.IN_ORDER),
]


@pytest.mark.parametrize(("at", "value", "taken"), LATER)
def test_value_that_is_not_later(at: int, value: int, taken: Taken) -> None:
    counter = Counter(500_000)
    for each in ((1_000, 100), (2_500, 600), (3_000, 800), (4_000, 1_000)):
        counter.feed(*each)
    assert counter.feed(at, value) is taken
    if taken is not Taken.IN_ORDER:
        assert counter.energy == 900


def test_late_value_is_never_covered_while_another_waits() -> None:
    counter = counted([LIFE, LIFE + 1000, LIFE + 2000, 0])
    assert counter.feed(1_000_000, 1000 * (LIFE + 500)) is Taken.LATE


def test_state_is_json_and_goes_on_as_if_nothing_had_been() -> None:
    values = [LIFE, LIFE + 1000, 0, LIFE + 1500, 0, 300, 800, ABSURD, 900, 0, 5]
    once = counted(values)
    counter = Counter(500_000)
    for number, value in enumerate(values, 1):
        counter = Counter.load(json.loads(json.dumps(counter.dump())))
        counter.feed(number * 900_000, value * 1000)
    assert (counter.energy, counter.kinds()) == (once.energy, once.kinds())


def test_rises_are_told_with_their_times_and_what_they_bridge() -> None:
    counter = counted([LIFE, LIFE + 1000, 700, 1700])
    assert counter.rises == [
        Rise(900_000, 1_800_000, 1_000_000, Kind.NONE),
        Rise(1_800_000, 2_700_000, 700_000, Kind.RESET),
        Rise(2_700_000, 3_600_000, 1_000_000, Kind.NONE),
    ]


def test_rise_that_is_no_longer_in_the_list_is_taken_back_below_0() -> None:
    counter = counted([LIFE, LIFE + 1000, LIFE + 100_000])
    counter.rises = []
    counter.feed(3_600_000, 1000 * (LIFE + 3000))
    assert [rise.mwh for rise in counter.rises] == [-99_000_000, 2_000_000]
    assert counter.energy == 3_000_000
