"""The series that samples belong to: cached in the process, created on sight."""

from collections.abc import Iterable
from typing import NamedTuple

from django.db import connection

from evcharging.db.known_rows import KnownRows
from meter.models import Series


class SeriesKey(NamedTuple):
    """What makes a series, as in the model."""

    station_id: int
    connector_id: int
    measurand: str
    phase: str
    location: str
    context: str
    format: str
    unit: str


known_series: KnownRows[SeriesKey] = KnownRows(500_000)


def series_ids(*, keys: Iterable[SeriesKey]) -> dict[SeriesKey, int]:
    """Return the id of each series; create those that are new, inside the caller's database transaction.

    Rows are created in one order, so that two processes that meet the same new series do not deadlock.
    """
    found: dict[SeriesKey, int] = {}
    missing: list[SeriesKey] = []
    for key in set(keys):
        known = known_series.get(key)
        if known is None:
            missing.append(key)
        else:
            found[key] = known
    if missing:
        created = _find_or_create(sorted(missing))
        found |= created
        known_series.remember_on_commit(created)
    return found


def _find_or_create(keys: list[SeriesKey]) -> dict[SeriesKey, int]:
    columns = [list(column) for column in zip(*keys, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO meter_series
                (station_id, connector_id, measurand, phase, location, context, format, unit)
            SELECT * FROM unnest(%s::bigint[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
                                 %s::text[])
            ON CONFLICT DO NOTHING
            """,
            columns,
        )
    rows = Series.objects.filter(
        station_id__in={key.station_id for key in keys}, connector_id__in={key.connector_id for key in keys}
    )
    wanted = set(keys)
    by_key = {
        SeriesKey(*row[1:]): row[0]
        for row in rows.values_list("pk", *SeriesKey._fields)
        if SeriesKey(*row[1:]) in wanted
    }
    return by_key
