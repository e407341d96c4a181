"""Geometry of charts in percent of the plot, for an inline SVG; no database, no clock."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from math import ceil, floor, log10
from typing import NamedTuple

from meter.selectors import Curve

TIME_STEPS = [
    timedelta(minutes=minutes)
    for minutes in (
        1,
        2,
        5,
        10,
        15,
        30,
        60,
        120,
        180,
        360,
        720,
        1440,
        2880,
        7 * 1440,
        30 * 1440,
        90 * 1440,
        365 * 1440,
    )
]


class Tick(NamedTuple):
    """A label beside an axis; `position` in percent of the plot, from the left or from the top."""

    position: float
    text: str


class Dot(NamedTuple):
    """The part of the plot, in percent, whose tooltip shows a point's value."""

    left: float
    width: float
    text: str


class Chart(NamedTuple):
    """One curve, ready to draw in a plot of 100 × 100."""

    title: str
    summary: str
    line: str
    area: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    dots: list[Dot]


class Bar(NamedTuple):
    """One bar, percent of the plot; `is_marked`: its value may be too low."""

    left: float
    width: float
    top: float
    height: float
    text: str
    is_marked: bool


class BarChart(NamedTuple):
    """Bars side by side, ready to draw in a plot of 100 × 100."""

    title: str
    summary: str
    bars: list[Bar]
    x_ticks: list[Tick]
    y_ticks: list[Tick]


def bar_chart(
    values: Sequence[tuple[str, float, bool]], *, title: str, summary: str, unit: str, digits: int, most: int = 6
) -> BarChart:
    """Draw (label, value, is marked) from left to right, with at most `most` labels below; the axis starts at 0."""
    ticks = value_ticks(max((value for _, value, _ in values), default=0.0))
    top, share = ticks[-1], 100 / max(len(values), 1)
    bars = []
    for index, (label, value, is_marked) in enumerate(values):
        height = 100 * max(value, 0.0) / top
        text = f"{label} · {value:,.{digits}f} {unit}"
        bars.append(Bar(share * (index + 0.12), share * 0.76, 100 - height, height, text, is_marked))
    every = max(ceil(len(values) / most), 1)
    return BarChart(
        title,
        summary,
        bars,
        [Tick(share * (index + 0.5), values[index][0]) for index in range(0, len(values), every)],
        [Tick(100 - 100 * value / top, f"{value:g}") for value in ticks],
    )


def chart(
    curve: Curve, *, title: str, unit: str, since: datetime, until: datetime, digits: int, is_stepped: bool = False
) -> Chart:
    """Draw a curve from `since` to `until`; its axis starts at 0.

    :param is_stepped: a value holds until the next one, as a mean does.
    """
    span_s = max((until - since).total_seconds(), 1.0)
    ticks = value_ticks(max((value for _, value in curve), default=0.0))
    top = ticks[-1]
    points = [(100 * (at - since).total_seconds() / span_s, 100 - 100 * max(value, 0.0) / top) for at, value in curve]
    line = _path(points, is_stepped)
    area = f"{line} L{points[-1][0]:.2f},100 L{points[0][0]:.2f},100 Z" if points else ""
    highest = max((value for _, value in curve), default=0.0)
    return Chart(
        title,
        f"{highest:,.{digits}f} {unit}",
        line,
        area,
        [Tick(100 * (at - since).total_seconds() / span_s, text) for at, text in time_ticks(since, until)],
        [Tick(100 - 100 * value / top, f"{value:g}") for value in ticks],
        list(_dots(curve, points, unit, digits)),
    )


def value_ticks(highest: float, most: int = 4) -> list[float]:
    """Return round values from 0 to at least `highest`, at most `most` steps."""
    if highest <= 0:
        return [0.0, 1.0]
    magnitude = 10 ** floor(log10(highest / most))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude * most >= highest * 0.999999)
    return [round(step * index, 10) for index in range(ceil(highest / step - 1e-9) + 1)]


def time_ticks(since: datetime, until: datetime, most: int = 6) -> list[tuple[datetime, str]]:
    """Return round instants between two, with labels: the date at midnight or for steps of days, else the time."""
    step = next((step for step in TIME_STEPS if (until - since) / step <= most), TIME_STEPS[-1])
    midnight = datetime.combine(since.astimezone(UTC).date(), datetime.min.time(), UTC)
    at = midnight + step * ceil((since - midnight) / step)
    ticks = []
    while at <= until:
        ticks.append(
            (at, f"{at:%H:%M}" if step < timedelta(days=1) and at.time() != datetime.min.time() else f"{at:%b %d}")
        )
        at += step
    return ticks


def _path(points: list[tuple[float, float]], is_stepped: bool) -> str:
    words = []
    for index, (x, y) in enumerate(points):
        if index and is_stepped:
            words.append(f"H{x:.2f}")
        words.append(f"{'L' if index else 'M'}{x:.2f},{y:.2f}")
    return " ".join(words)


def _dots(curve: Curve, points: list[tuple[float, float]], unit: str, digits: int) -> Iterable[Dot]:
    for index, ((at, value), (x, _)) in enumerate(zip(curve, points, strict=True)):
        left = x if index == 0 else (points[index - 1][0] + x) / 2
        right = x if index == len(points) - 1 else (points[index + 1][0] + x) / 2
        yield Dot(left, max(right - left, 0.2), f"{at:%Y-%m-%d %H:%M:%S} UTC · {value:,.{digits}f} {unit}")
