"""Where a stream begins, and which place goes before which."""

import pytest

from transactions.energy.streams import Place, Start, phase_of, start_of

KWH = 1_000_000
MINUTE = 60_000


def found(meter_start_wh, begin_wh, first_wh, *, is_timed: bool = True) -> Start:
    """Return the start of a stream whose first value comes a minute after it."""
    scaled = [None if wh is None else round(1000 * wh) for wh in (meter_start_wh, begin_wh, first_wh)]
    return start_of(
        meter_start=scaled[0],
        begin=scaled[1],
        first=None if scaled[2] is None else (MINUTE, scaled[2]),
        begun_at=0,
        power_w=500_000,
        usual_w=22_000,
        is_timed=is_timed,
    )


@pytest.mark.parametrize(
    ("meter_start", "begin", "first", "start"),
    [
        (1000, None, 1500, Start(KWH, "meter_start")),
        (1000, None, None, Start(KWH, "meter_start")),
        (4_200_000, None, 110, Start(4200 * KWH, "meter_start")),
        (None, 7000, 9500, Start(7 * KWH, "begin_sample")),
        (None, 7000, None, Start(7 * KWH, "begin_sample")),
        (-1, 7000, 9500, Start(7 * KWH, "begin_sample")),
        (0, 7000, 9500, Start(7 * KWH, "begin_sample")),
        (0, 7000, None, Start(7 * KWH, "begin_sample")),
        (0, None, 500, Start(0, "meter_start")),
        (7000, 7050, 7100, Start(7 * KWH, "meter_start")),
        (7000, 7000.4, 7100, Start(7 * KWH, "meter_start")),
        (7000, 7900, 8000, Start(7 * KWH, "meter_start")),
        (7100, 9400, 9500, Start(9400_000, "begin_sample", other=7100_000)),
        (7100, 7600, 7700, Start(7600_000, "begin_sample", other=7100_000)),
        (7100, 9400, 7200, Start(7100_000, "meter_start", other=9400_000)),
        (7100, 9400, None, Start(7100_000, "meter_start", other=9400_000)),
        (None, None, 500, Start(0)),
        (None, None, 9_000_000, Start(None)),
        (None, None, None, Start(None)),
        (410, None, 410_300, Start(None, unit_factor=1000.0)),
        (410, 410_000, 410_300, Start(410 * KWH, "begin_sample", unit_factor=1000.0)),
        (410_000, None, 410.5, Start(None, unit_factor=1000.0)),
        (90, None, 90_300, Start(90_000, "meter_start")),
        (410, None, 480_000, Start(410_000, "meter_start")),
    ],
)
def test_start_of_a_stream(meter_start, begin, first, start: Start) -> None:
    assert found(meter_start, begin, first) == start


def test_first_value_at_a_time_of_receipt_says_nothing_of_its_zero() -> None:
    assert found(None, None, 500, is_timed=False) == Start(None)


def test_places_have_an_order() -> None:
    places = [
        Place("Outlet", False), Place("Outlet", True), Place("Body", False), Place("Body", True),
        Place("Cable", False), Place("Inlet", False), Place("Inlet", True), Place("EV", False),
        Place("Upstream", False),
    ]  # fmt: skip
    shuffled = [places[index] for index in (4, 8, 0, 6, 2, 7, 1, 5, 3)]
    assert sorted(shuffled, key=lambda place: place.rank) == places


@pytest.mark.parametrize(("word", "phase"), [("", ""), ("L1", "L1"), ("L1-N", "L1"), ("L3-N", "L3"), ("N", None)])
def test_phase_of_a_register(word: str, phase: str | None) -> None:
    assert phase_of(word) == phase
