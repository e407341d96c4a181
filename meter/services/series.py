"""Which series a sample belongs to: looked up in the process, created on sight."""

from collections.abc import Iterable
from typing import NamedTuple

from django.db import connection, transaction

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


MAX_CACHED = 500_000
"""Series known to one process before it forgets them all, about 150 bytes each."""

_known: dict[SeriesKey, int] = {}


def known_series_id(key: SeriesKey) -> int:
    """Return the id of a series that this process has met.

    :raises KeyError: it has not, which says nothing of the database.
    """
    return _known[key]


def series_ids(*, keys: Iterable[SeriesKey]) -> dict[SeriesKey, int]:
    """Return the id of each series, creating those that are new; inside the caller's database transaction.

    Rows are created in one order, so that two processes that meet the same new series do not deadlock.
    """
    found: dict[SeriesKey, int] = {}
    missing: list[SeriesKey] = []
    for key in set(keys):
        known = _known.get(key)
        if known is None:
            missing.append(key)
        else:
            found[key] = known
    if missing:
        created = _find_or_create(sorted(missing))
        found |= created
        # Only once it is committed: a series whose insert rolls back has no row.
        transaction.on_commit(lambda: remember(created))
    return found


def forget_known_series() -> None:
    """Empty this process's table of known series, after their rows were removed."""
    _known.clear()


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


def remember(created: dict[SeriesKey, int]) -> None:
    """Put series whose rows are committed into this process's table."""
    if len(_known) > MAX_CACHED:
        _known.clear()
    _known.update(created)
