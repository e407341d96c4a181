"""Energy and power of a station per 15 minutes, day or month.

Of a connector's values those at location Outlet count before those elsewhere, and those of the whole connector before
those of its phases, which are added. The station's main meter (connector 0) counts where no connector reports.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import Enum
from typing import Any, NamedTuple

from django.db import connection

from meter.models import Series
from meter.rollups import aggregate_sql
from meter.rollups.late import quarter_of
from meter.rollups.read_bounds import read_bounds
from meter.selectors import ENERGY, PHASES, POWER
from meter.storage import has_continuous_aggregates
from stations.models import Station


class Width(Enum):
    """How long a bucket is; days and months are those of a zone."""

    QUARTER = "middle"
    DAY = "date_trunc('day', middle, %(zone)s)"
    MONTH = "date_trunc('month', middle, %(zone)s)"


class Energy(NamedTuple):
    """Energy of one bucket; `register_reset`: a register ran backwards or began anew, so that some may be missing."""

    begins_at: datetime
    energy_wh: float
    register_reset: bool


class Power(NamedTuple):
    """Power of one bucket: the mean of its samples, and the highest (of phases: the sum of their highest)."""

    begins_at: datetime
    mean_w: float
    max_w: float


class DayChart(NamedTuple):
    """One day of a station, by quarters of an hour; those without samples are left out."""

    since: datetime
    until: datetime
    energy: list[Energy]
    power: list[Power]


class DayEnergy(NamedTuple):
    """Energy of one day, 0 where nothing was measured."""

    day: date
    energy_wh: float
    register_reset: bool


Row = tuple[int, str, str, datetime, float, float, int]
"""Connector, location, phase, begin of the bucket, two figures, samples."""


def energy(
    *,
    station_id: int,
    since: datetime,
    until: datetime,
    width: Width,
    connector_id: int | None = None,
    zone: tzinfo = UTC,
) -> list[Energy]:
    """Return the energy per bucket in time order, without buckets that no sample is in.

    Times are taken from and to the begin of their quarter. What a register rose by while no sample came counts for the
    bucket of the next sample.
    """
    rows = _read(aggregate_sql.energy, ENERGY, station_id, connector_id, since, until, width, zone)
    found: dict[datetime, Energy] = {}
    for _, _, _, at, energy_wh, register_reset, _ in _chosen(rows):
        before = found.get(at, Energy(at, 0.0, False))
        found[at] = Energy(at, before.energy_wh + energy_wh, before.register_reset or bool(register_reset))
    return [found[at] for at in sorted(found)]


def power(
    *,
    station_id: int,
    since: datetime,
    until: datetime,
    width: Width,
    connector_id: int | None = None,
    zone: tzinfo = UTC,
) -> list[Power]:
    """Return mean and highest power per bucket, with the same times as `energy`."""
    rows = _read(aggregate_sql.power, POWER, station_id, connector_id, since, until, width, zone)
    found: dict[datetime, Power] = {}
    for _, _, _, at, mean_w, max_w, _ in _chosen(rows):
        before = found.get(at, Power(at, 0.0, 0.0))
        found[at] = Power(at, before.mean_w + mean_w, before.max_w + max_w)
    return [found[at] for at in sorted(found)]


def station_day_chart(station: Station, day: date) -> DayChart:
    """Return energy and power of a day in the station's zone."""
    since, until = _midnight(day, station.zone), _midnight(day + timedelta(days=1), station.zone)
    return DayChart(
        since,
        until,
        energy(station_id=station.pk, since=since, until=until, width=Width.QUARTER),
        power(station_id=station.pk, since=since, until=until, width=Width.QUARTER),
    )


def station_month_energy(station: Station, year: int, month: int) -> list[DayEnergy]:
    """Return the energy of every day of a month in the station's zone."""
    first = date(year, month, 1)
    return station_days_energy(station, first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1))


def station_days_energy(station: Station, first: date, last: date) -> list[DayEnergy]:
    """Return the energy of every day from `first` to `last` in the station's zone."""
    zone = station.zone
    since, until = _midnight(first, zone), _midnight(last + timedelta(days=1), zone)
    found = energy(station_id=station.pk, since=since, until=until, width=Width.DAY, zone=zone)
    by_day = {each.begins_at.astimezone(zone).date(): each for each in found}
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    measured = {day: DayEnergy(day, each.energy_wh, each.register_reset) for day, each in by_day.items()}
    return [measured.get(day, DayEnergy(day, 0.0, False)) for day in days]


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def _read(
    statement: Callable[[bool, str], str],
    measurand: str,
    station_id: int,
    connector_id: int | None,
    since: datetime,
    until: datetime,
    width: Width,
    zone: tzinfo,
) -> list[Row]:
    series = Series.objects.filter(station_id=station_id, measurand=measurand, phase__in=("", *PHASES))
    if connector_id is not None:
        series = series.filter(connector_id=connector_id)
    ids = list(series.order_by("pk").values_list("pk", flat=True))
    if not ids:
        return []
    since, until = quarter_of(since), quarter_of(until)
    values: dict[str, Any] = {
        "series_ids": ids, "since": since, "until": until, "zone": str(zone), "with_days": width is not Width.QUARTER,
        **read_bounds(series_ids=ids, since=since, until=until),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(statement(has_continuous_aggregates(), width.value), values)
        return cursor.fetchall()


def _chosen(rows: Iterable[Row]) -> list[Row]:
    """Keep for each connector the rows of one location, and there those without a phase or else of the phases."""
    places: dict[int, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        places[row[0]][row[1]].append(row)
    if set(places) != {0}:
        places.pop(0, None)
    chosen = []
    for locations in places.values():
        most = max(locations, key=lambda name: (name == "Outlet", sum(row[6] for row in locations[name]), name))
        whole = [row for row in locations[most] if not row[2]]
        chosen += whole or locations[most]
    return chosen
