"""Constants that bound in time what a chart's statement reads, so that no other chunk is even planned for.

The statement itself decides by the state that it sees which of roll-ups and samples are right (aggregate_sql). These
bounds are read just before; what they are read from only ever moves forward, so they leave out nothing that the
statement needs. What is marked as late in between counts in the next reading.
"""

from datetime import UTC, datetime
from typing import Any

from django.db import connection

from meter.rollups.late import QUARTER

_KNOWN = """
    SELECT quarters_until, days_until, quarters_from, first_late, last_late
    FROM (
        SELECT max(quarters_until) AS quarters_until, max(days_until) AS days_until,
               max(quarters_from) AS quarters_from
        FROM meter_rollup_progress
    ) AS progress CROSS JOIN (
        SELECT min(bucket) AS first_late, max(bucket) AS last_late FROM meter_rollup_late
        WHERE series_id = ANY(%s::int[]) AND bucket < %s
    ) AS late
"""


def read_bounds(*, series_ids: list[int], since: datetime, until: datetime) -> dict[str, Any]:
    """Return the parameters of aggregate_sql's statements that are bounds: of what is in the period (`fresh_from`,
    `stored_from`, `late_from`, `late_until`) and of each register's last value before it (`earlier_…`).

    An empty stretch begins where it ends.
    """
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, [series_ids, until])
        quarters_until, days_until, quarters_from, first_late, last_late = cursor.fetchone()
    late_until = since if last_late is None else last_late + QUARTER
    # Before the last whole day that is rolled up, days have what is looked for.
    day = min(since, days_until or since).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        "stored_from": max(since, quarters_from or since),
        "fresh_from": max(since, quarters_until or since, quarters_from or since),
        "late_from": max(since, first_late or since),
        "late_until": min(until, late_until),
        "earlier_quarters_from": day,
        "earlier_samples_from": "-infinity" if quarters_until is None else min(since, quarters_until),
        "earlier_late_from": min(since, first_late or since),
        "earlier_late_until": min(since, late_until),
    }
