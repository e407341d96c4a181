"""Rolls samples up by quarters of an hour and by days once they are over, and again where samples came late.

Every step is one short database transaction under an advisory lock: runs may overlap, in any process, and may be
interrupted at any time.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from evcharging.db.advisory_locks import AdvisoryLock, try_lock_for_transaction
from evcharging.db.timescale import first_chunk_begin, is_hypertable
from meter.models import RollupProgress
from meter.rollups import roll_up_sql as sql
from meter.rollups.late import QUARTER, quarter_of
from meter.storage import has_continuous_aggregates, refresh_continuous_aggregates

SHORTEST_STEP, LONGEST_STEP = timedelta(hours=1), timedelta(days=32)
FEW_ROWS = 20_000
"""Time that one transaction rolls up while it catches up; doubled after each that wrote fewer than FEW_ROWS."""
LATE_BATCH = 1000
"""Late quarters that one transaction rolls up again; a writer that marks one of these waits for its commit."""
DAY = timedelta(days=1)


class RollupResult(NamedTuple):
    """What a run did; `until`: samples are rolled up until then, None for not at all."""

    is_ours: bool
    quarters: int
    days: int
    late: int
    until: datetime | None


class _Step(NamedTuple):
    is_over: bool
    quarters: int = 0
    days: int = 0
    late: int = 0


def roll_up(*, now: datetime, limit_s: float | None = None) -> RollupResult:
    """Roll up every quarter of an hour that ended ROLLUP_LAG_S before `now`, every day that ended by then, and those
    that got samples late. Idempotent.

    :param limit_s: begin no step after so many seconds; the next run goes on.
    """
    with transaction.atomic():
        is_ours = try_lock_for_transaction(AdvisoryLock.ROLL_UP)
    if not is_ours:
        return RollupResult(False, 0, 0, 0, None)
    deadline = None if limit_s is None else time.monotonic() + limit_s
    steps: list[_Step] = []
    is_continuous, span = has_continuous_aggregates(), SHORTEST_STEP
    while not (steps and steps[-1].is_over):
        step = _next_late(now) if is_continuous else _next_step(now, span)
        steps.append(step)
        span = min(span * 2, LONGEST_STEP) if step.quarters + step.days < FEW_ROWS else SHORTEST_STEP
        if deadline is not None and time.monotonic() >= deadline:
            break
    until = RollupProgress.objects.values_list("quarters_until", flat=True).first()
    return RollupResult(
        True,
        sum(each.quarters for each in steps),
        sum(each.days for each in steps),
        sum(each.late for each in steps),
        until,
    )


def progress() -> RollupProgress:
    """Return the progress of roll-ups; a row of nulls before the first."""
    return RollupProgress.objects.first() or RollupProgress()


@transaction.atomic
def _next_step(now: datetime, span: timedelta) -> _Step:
    """Roll up the next stretch of time, the next whole days, and a batch of late quarters."""
    if not try_lock_for_transaction(AdvisoryLock.ROLL_UP):
        return _Step(True)
    target = quarter_of(now - timedelta(seconds=settings.ROLLUP_LAG_S))
    with connection.cursor() as cursor:
        row = _begun(cursor, target)
        if row.quarters_until is None or row.days_until is None:
            return _Step(True)
        quarters = days = 0
        since, until = row.quarters_until, min(target, row.quarters_until + span)
        if since < until:
            cursor.execute(sql.QUARTERS_OF_TIME, {"since": since, "until": until})
            quarters, row.quarters_until = cursor.rowcount, until
        since, until = row.days_until, min(_day_of(row.quarters_until), row.days_until + max(_whole_days(span), DAY))
        if since < until:
            cursor.execute(sql.DAYS_OF_TIME, {"since": since, "until": until})
            days, row.days_until = cursor.rowcount, until
        row.save(update_fields=["quarters_until", "days_until"])
        late = _late(cursor, row)
        is_over = target <= row.quarters_until and row.quarters_until < row.days_until + DAY and late < LATE_BATCH
    return _Step(is_over, quarters, days, late)


def _begun(cursor: CursorWrapper, target: datetime) -> RollupProgress:
    """Return the progress, initialised to the day of the first sample, or of `target` where there is none."""
    row = progress()
    if row.quarters_until is None:
        first = first_chunk_begin("meter_values") if is_hypertable("meter_values") else _first_sample_at(cursor)
        begin = min(first or target, target).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        row.quarters_until = row.days_until = begin
        row.save()
    return row


def _first_sample_at(cursor: CursorWrapper) -> datetime | None:
    cursor.execute("SELECT min(effective_at) FROM meter_values")
    at: datetime | None = cursor.fetchone()[0]
    return at


def _late(cursor: CursorWrapper, row: RollupProgress) -> int:
    """Roll up a batch of late quarters again, and their days; skip what the regular roll-up has still to come to."""
    marks = _take_marks(cursor, row.quarters_until)
    if marks:
        kept = [mark for mark in marks if row.quarters_from is None or mark[1] >= row.quarters_from]
        _again(cursor, sql.QUARTERS_OF_STRETCHES, kept, QUARTER)
        days = {(series_id, _day_of(bucket)) for series_id, bucket in marks}
        over = sorted((series_id, day) for series_id, day in days if row.days_until and day < row.days_until)
        # Retention may have deleted quarters or samples by now: the row of more samples is kept.
        _again(cursor, sql.DAYS_OF_STRETCHES, over, DAY)
        _again(cursor, sql.DAYS_OF_STRETCHES_RAW, over, DAY)
    return len(marks)


def _take_marks(cursor: CursorWrapper, until: datetime | None) -> list[tuple[int, datetime]]:
    """Delete and return marks before any sample is read: a later mark then means unread samples."""
    cursor.execute(
        """
        DELETE FROM meter_rollup_late WHERE (series_id, bucket) IN (
            SELECT series_id, bucket FROM meter_rollup_late WHERE bucket < coalesce(%s, 'infinity'::timestamptz)
            ORDER BY series_id, bucket LIMIT %s FOR UPDATE SKIP LOCKED
        ) RETURNING series_id, bucket
        """,
        [until, LATE_BATCH],
    )
    return sorted(cursor.fetchall())


def _next_late(now: datetime) -> _Step:
    """Refresh the continuous aggregates where samples came late; their policy refreshes the rest.

    Refreshing cannot run inside a transaction. If it fails, the next run of the policy covers the deleted marks.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        if not try_lock_for_transaction(AdvisoryLock.ROLL_UP):
            return _Step(True)
        marks = _take_marks(cursor, None)
    if marks:
        buckets = [bucket for _, bucket in marks]
        begin, kept_from = _day_of(min(buckets)), progress().samples_from
        if kept_from is not None:  # a refresh would delete roll-ups whose samples are deleted
            begin = max(begin, kept_from)
        end = _day_of(max(buckets)) + DAY
        if begin < end:
            refresh_continuous_aggregates(since=begin, until=end, now=now)
    return _Step(len(marks) < LATE_BATCH, late=len(marks))


def _day_of(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _whole_days(span: timedelta) -> timedelta:
    return span // DAY * DAY


def _again(cursor: CursorWrapper, statement: str, stretches: list[tuple[int, datetime]], width: timedelta) -> None:
    """Run a statement of roll_up_sql on stretches (series id, begin), which are `width` long."""
    if stretches:
        buckets = [bucket for _, bucket in stretches]
        series_ids = [series_id for series_id, _ in stretches]
        ends = {"since": min(buckets), "until": max(buckets) + width}
        cursor.execute(statement, {"series_ids": series_ids, "buckets": buckets, **ends})
