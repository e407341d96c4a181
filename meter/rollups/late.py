"""Marks of quarters of an hour that got samples late, so that their roll-ups are made again.

A quarter is rolled up ROLLUP_LAG_S after its end. A sample older than half of that on receipt leaves a mark in the
database transaction that stores it; the other half is the time which that transaction has to commit.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection

QUARTER = timedelta(minutes=15)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

# DO UPDATE … WHERE false locks an existing row without a new version: a roll-up cannot delete it before the samples
# that it now also stands for are committed.
_MARK = """
    INSERT INTO meter_rollup_late (series_id, bucket) SELECT * FROM unnest(%s::int[], %s::timestamptz[])
    ON CONFLICT (series_id, bucket) DO UPDATE SET bucket = excluded.bucket WHERE false
"""


def late_after() -> timedelta:
    """Return the age on receipt above which a sample is late."""
    return timedelta(seconds=settings.ROLLUP_LAG_S / 2)


def quarter_of(instant: datetime) -> datetime:
    """Return the begin of an instant's quarter of an hour."""
    return _EPOCH + (instant - _EPOCH) // QUARTER * QUARTER


def mark_late(marks: Iterable[tuple[int, datetime]]) -> None:
    """Mark (series id, begin of the quarter), inside the current database transaction and as its last locks.

    In one order, so that two transactions that mark the same quarters do not deadlock.
    """
    columns = list(zip(*sorted(set(marks)), strict=True))
    if columns:
        with connection.cursor() as cursor:
            cursor.execute(_MARK, [list(column) for column in columns])
