"""Charts drawn on the server: ticks and geometry."""

from datetime import UTC, datetime, timedelta

import pytest

from meter.charts import bar_chart, chart, time_ticks, value_ticks

START = datetime(2026, 3, 1, 11, 58, tzinfo=UTC)


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [
        (0.0, [0, 1]),
        (-3.0, [0, 1]),
        (1.0, [0, 0.25, 0.5, 0.75, 1]),
        (7.2, [0, 2, 4, 6, 8]),
        (100.0, [0, 25, 50, 75, 100]),
        (143.4, [0, 50, 100, 150]),
        (0.0031, [0, 0.001, 0.002, 0.003, 0.004]),
    ],
)
def test_value_ticks_are_round_and_reach_the_highest(highest, ticks):
    assert value_ticks(highest) == ticks


@pytest.mark.parametrize(
    ("length", "texts"),
    [
        (timedelta(minutes=5), ["11:58", "11:59", "12:00", "12:01", "12:02", "12:03"]),
        (timedelta(minutes=50), ["12:00", "12:10", "12:20", "12:30", "12:40"]),
        (timedelta(hours=14), ["12:00", "15:00", "18:00", "21:00", "Mar 02"]),
        (timedelta(days=4), ["Mar 02", "Mar 03", "Mar 04", "Mar 05"]),
        (timedelta(days=60), ["Mar 31", "Apr 30"]),
    ],
)
def test_time_ticks_are_round(length, texts):
    assert [text for _, text in time_ticks(START, START + length)] == texts


def test_chart_is_drawn_in_percent():
    curve = [(START, 0.0), (START + timedelta(minutes=30), 50.0), (START + timedelta(minutes=60), 100.0)]
    drawn = chart(curve, title="Power", unit="kW", since=START, until=START + timedelta(hours=1), digits=1)
    assert drawn.line == "M0.00,100.00 L50.00,50.00 L100.00,0.00"
    assert drawn.area == "M0.00,100.00 L50.00,50.00 L100.00,0.00 L100.00,100 L0.00,100 Z"
    assert (drawn.summary, [tick.position for tick in drawn.y_ticks]) == ("100.0 kW", [100, 75, 50, 25, 0])
    assert [(dot.left, dot.width, dot.text) for dot in drawn.dots] == [
        (0.0, 25.0, "2026-03-01 11:58:00 UTC · 0.0 kW"),
        (25.0, 50.0, "2026-03-01 12:28:00 UTC · 50.0 kW"),
        (75.0, 25.0, "2026-03-01 12:58:00 UTC · 100.0 kW"),
    ]


def test_chart_of_means_is_stepped_and_never_below_nought():
    curve = [(START, -1.0), (START + timedelta(minutes=30), 1.0)]
    until = START + timedelta(hours=1)
    drawn = chart(curve, title="Power", unit="kW", since=START, until=until, digits=1, is_stepped=True)
    assert drawn.line == "M0.00,100.00 H50.00 L50.00,0.00"


def test_chart_of_nothing_is_empty():
    drawn = chart([], title="Power", unit="kW", since=START, until=START, digits=1)
    assert (drawn.line, drawn.area, drawn.dots) == ("", "", [])


def test_bars_are_drawn_in_percent_and_labelled_sparsely():
    values = [(f"D{number}", float(number), number == 3) for number in range(10)]
    drawn = bar_chart(values, title="Energy", summary="45 kWh", unit="kWh", digits=1, most=4)
    assert [tick.text for tick in drawn.x_ticks] == ["D0", "D3", "D6", "D9"]
    assert [tick.position for tick in drawn.x_ticks] == [5, 35, 65, 95]
    assert [bar for bar in drawn.bars if bar.is_marked] == [
        (pytest.approx(31.2), pytest.approx(7.6), 70, 30, "D3 · 3.0 kWh", True)
    ]
    assert (drawn.bars[0].height, drawn.bars[9].height) == (0, 90)


def test_bars_of_nothing_are_none():
    drawn = bar_chart([], title="Energy", summary="", unit="kWh", digits=1)
    assert (drawn.bars, drawn.x_ticks) == ([], [])
