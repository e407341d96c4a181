"""TimescaleDB's part in storing samples: chunks, and in its Community edition continuous aggregates and compression.

Elsewhere meter.rollups.roll_up gives the same results. meter.services.retention deletes samples in every edition:
TimescaleDB's own policy would wait neither for their roll-ups nor for their transaction's end.
"""

from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection

from evcharging.db.timescale import Edition, edition
from evcharging.db.timescale_policies import Policy, compress, keep_policies, set_chunk_interval
from meter.rollups import roll_up_sql as sql

QUARTERS_VIEW, DAYS_VIEW = "meter_values_15m", "meter_values_day"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
REFRESH_EVERY = timedelta(minutes=15)


def has_continuous_aggregates() -> bool:
    """Tell whether continuous aggregates replace the tables of roll-ups."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT to_regclass(%s) IS NOT NULL AND to_regclass(%s) IS NOT NULL", [QUARTERS_VIEW, DAYS_VIEW]
        )
        return bool(cursor.fetchone()[0])


def apply_policies() -> list[str]:
    """Set chunk interval, compression and aggregates as the settings say; return a line for what the edition lacks.

    Idempotent.
    """
    found = edition()
    if found is Edition.NONE:
        return []
    set_chunk_interval("meter_values", timedelta(hours=settings.METER_CHUNK_HOURS))
    if found is Edition.APACHE:
        return ["meter values: no compression and no continuous aggregates in this edition; roll-ups are tables"]
    create_continuous_aggregates()
    # The columns of the unique constraint, so that a sample which is sent again is found inside compressed chunks.
    compress("meter_values", segment_by="series_id", order_by="effective_at, value, transaction_ref")
    lag = timedelta(seconds=settings.ROLLUP_LAG_S)
    begin = None
    if settings.METER_VALUES_RETENTION_DAYS:
        # A refresh would delete roll-ups whose samples are deleted.
        begin = timedelta(days=settings.METER_VALUES_RETENTION_DAYS - 1)
    keep_policies(
        [
            Policy.refresh(QUARTERS_VIEW, begin=begin, end=lag, every=REFRESH_EVERY),
            Policy.refresh(DAYS_VIEW, begin=begin, end=lag, every=REFRESH_EVERY * 4),
            Policy.compression("meter_values", after=settings.COMPRESS_AFTER_DAYS),
        ]
    )
    return []


def create_continuous_aggregates() -> None:
    """Create those that are missing, without data: until the first refresh each reads the samples."""
    with connection.cursor() as cursor:
        for view, width in ((QUARTERS_VIEW, sql.QUARTER), (DAYS_VIEW, sql.DAY)):
            cursor.execute(
                f"""
                CREATE MATERIALIZED VIEW IF NOT EXISTS {view}
                WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
                SELECT series_id, time_bucket({width}, effective_at) AS bucket, {sql.OF_SAMPLES}
                FROM meter_values WHERE {sql.USABLE} GROUP BY 1, 2
                WITH NO DATA
                """
            )


def refresh_continuous_aggregates(*, since: datetime | None, until: datetime, now: datetime) -> None:
    """Refresh a range of time; outside of any database transaction.

    :param since: rounded up to a whole bucket, for the samples before it may be deleted; None: the first sample.
    :param until: rounded up too, without a bucket that is not over: its view would not read the samples of the rest.
    """
    over = now - timedelta(seconds=settings.ROLLUP_LAG_S)
    with connection.cursor() as cursor:
        for view, width in ((QUARTERS_VIEW, timedelta(minutes=15)), (DAYS_VIEW, timedelta(days=1))):
            begin = None if since is None else _round_up(since, width)
            end = min(_round_up(until, width), _round_up(over, width) - width)
            if begin is None or begin < end:
                cursor.execute(
                    "CALL refresh_continuous_aggregate(%s::regclass, %s::timestamptz, %s::timestamptz)",
                    [view, begin, end],
                )


def _round_up(instant: datetime, width: timedelta) -> datetime:
    return _EPOCH - (_EPOCH - instant) // width * width
