"""The samples of a transaction, as a table and as curves.

They are found by station and time, which the identity index of meter_values serves; no index has the transaction.
Series and times are constants of the statement, not joined: TimescaleDB opens only the chunks of that time, and
decompresses only these series.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Avg, F, Func, Max, QuerySet, Value
from django.db.models.fields import DateTimeField

from meter.models import MeterValue, Series
from meter.types import UNITS
from stations.timing import LATEST_AHEAD
from transactions.models import Transaction

ENERGY, POWER, SOC = "Energy.Active.Import.Register", "Power.Active.Import", "SoC"
PHASES = ("L1", "L2", "L3")
MARGIN = timedelta(days=1)
"""How long before the start samples are looked for: a clock may have been put right in between."""
MAX_POINTS = 240
"""Points of one curve."""
MAX_SAMPLES = 5000
"""Samples of one page of the table."""


class Column(NamedTuple):
    """What one column of the table shows; `unit` is the canonical one."""

    measurand: str
    phase: str
    location: str
    unit: str


class Line(NamedTuple):
    """The samples of one instant and context."""

    at: datetime
    context: str
    values: dict[Column, str]


class SampleTable(NamedTuple):
    """One page of a transaction's samples in time order."""

    columns: list[Column]
    lines: list[Line]
    has_next: bool


Curve = list[tuple[datetime, float]]


class Curves(NamedTuple):
    """A transaction's register (Wh), power (W) and state of charge (percent) over time."""

    register: Curve
    power: Curve
    soc: Curve


def series_ids_of(station_ids: Iterable[int], **words: Any) -> list[int]:
    """Return the ids of all series of stations, or of those with these words (`connector_id`, `measurand`, …)."""
    series = Series.objects.filter(station_id__in=list(station_ids), **words)
    return list(series.order_by("pk").values_list("pk", flat=True))


def samples_of(transaction: Transaction) -> QuerySet[MeterValue]:
    """Return a transaction's samples, unordered."""
    since = min(transaction.started_at, transaction.start_received_at) - MARGIN
    until = max(transaction.last_message_at, transaction.stopped_at or transaction.started_at) + LATEST_AHEAD
    return MeterValue.objects.filter(
        series_id__in=series_ids_of([transaction.station_id]),
        effective_at__range=(since, until),
        transaction_id=transaction.pk,
    )


def sample_table(transaction: Transaction, *, page: int, size: int) -> SampleTable:
    """Return a page (from 1) of `size` instants, each with everything that was measured then."""
    start = (page - 1) * size
    of_transaction = samples_of(transaction)
    instants = of_transaction.order_by("effective_at").values_list("effective_at", flat=True).distinct()
    found = list(instants[start : start + size + 1])
    if not found:
        return SampleTable([], [], False)
    shown = found[:size]
    samples = of_transaction.filter(effective_at__range=(shown[0], shown[-1])).select_related("series")
    lines: dict[tuple[datetime, str], dict[Column, str]] = defaultdict(dict)
    for sample in samples.order_by("effective_at", "series_id")[:MAX_SAMPLES]:
        series = sample.series
        unit = UNITS[series.unit].canonical if series.unit in UNITS else series.unit
        column = Column(series.measurand, series.phase, series.location, unit)
        line = lines[sample.effective_at, series.context]
        text = sample.raw if sample.value is None else f"{sample.value:,.10g}"
        line[column] = f"{line[column]}; {text}" if column in line else text
    columns = sorted({column for line in lines.values() for column in line}, key=_importance)
    return SampleTable(columns, [Line(*key, values) for key, values in lines.items()], len(found) > size)


def curves(transaction: Transaction) -> Curves:
    """Return the curves of a transaction, at most MAX_POINTS each.

    A longer one is reduced to equal buckets of time: means (power) or highest values (register, state of charge).
    Where power comes by phase only, the phases of one bucket are added.
    """
    end = max(transaction.stopped_at or transaction.last_message_at, transaction.started_at)
    width = max((end - transaction.started_at) / MAX_POINTS, timedelta(seconds=1))
    stretch = Func(
        Value(width),
        F("effective_at"),
        Value(transaction.started_at),
        function="date_bin",
        output_field=DateTimeField(),
    )
    rows = (
        samples_of(transaction)
        .filter(series__measurand__in=(ENERGY, POWER, SOC), value__isnull=False)
        .annotate(stretch=stretch)
        .values_list("series__measurand", "series__location", "series__phase", "stretch")
        .annotate(Max("effective_at"), Avg("value"), Max("value"))
        .order_by("stretch")
    )
    register = _Points("")
    power, phases = _Points(""), _Points(*PHASES)
    soc = _Points("")
    for measurand, location, phase, instant, latest, mean, highest in rows[: 20 * MAX_POINTS]:
        if measurand == ENERGY:
            register.add(location, phase, instant, latest, highest)
        elif measurand == SOC:
            soc.add(location, phase, instant, latest, highest)
        else:
            power.add(location, phase, instant, latest, mean)
            phases.add(location, phase, instant, latest, mean)
    return Curves(register.curve(), power.curve() or phases.curve(), soc.curve())


class _Points:
    """Points of one quantity by location; adds its phases, and merges the contexts of one bucket."""

    def __init__(self, *phases: str) -> None:
        self._phases = phases
        self._found: dict[str, dict[datetime, tuple[datetime, dict[str, float]]]] = defaultdict(dict)

    def add(self, location: str, phase: str, stretch: datetime, latest: datetime, value: float) -> None:
        if phase in self._phases:
            at, values = self._found[location].get(stretch, (latest, {}))
            values[phase] = max(value, values.get(phase, value))
            self._found[location][stretch] = (max(at, latest), values)

    def curve(self) -> Curve:
        """Return the points of location Outlet, else of the location that has most."""
        if not self._found:
            return []
        location = "Outlet" if "Outlet" in self._found else max(self._found, key=lambda each: len(self._found[each]))
        return [(at, sum(values.values())) for at, values in self._found[location].values()]


def _importance(column: Column) -> tuple[int, Column]:
    order = (ENERGY, POWER, SOC)
    return (order.index(column.measurand) if column.measurand in order else len(order), column)
