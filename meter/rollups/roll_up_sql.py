"""The SQL expressions of roll-ups, shared by tables, continuous aggregates and reads of samples.

TimescaleDB's own functions (first, last, time_bucket) are used only where TimescaleDB demands it: of several samples
at one instant first() takes any, and results must not depend on the edition.
"""

MAX_VALUE = 1e15
"""Beyond it nothing is a measurement; it keeps NaN and infinity out, and sums from overflowing."""

USABLE = f"value BETWEEN {-MAX_VALUE!r} AND {MAX_VALUE!r}"
ORIGIN = "timestamptz '2000-01-01 00:00:00+00'"
QUARTER = "interval '15 minutes'"
DAY = "interval '1 day'"

COLUMNS = "first_at, last_at, total, lowest, highest, first_value, last_value, samples"

_IN_ORDER = "array_agg(value ORDER BY effective_at, value)"
OF_SAMPLES = f"""
    min(effective_at) AS first_at, max(effective_at) AS last_at, sum(value) AS total, min(value) AS lowest,
    max(value) AS highest, ({_IN_ORDER})[1] AS first_value, ({_IN_ORDER})[count(*)::int] AS last_value,
    count(*)::int AS samples
"""
OF_QUARTERS = """
    min(first_at) AS first_at, max(last_at) AS last_at, sum(total) AS total, min(lowest) AS lowest,
    max(highest) AS highest, (array_agg(first_value ORDER BY bucket))[1] AS first_value,
    (array_agg(last_value ORDER BY bucket))[count(*)::int] AS last_value, sum(samples)::int AS samples
"""

# Only retention deletes samples, so a row of more samples is more complete; one of as many is of the same samples, or
# of later ones in the place of deleted ones.
_UPSERT = f"""
    ON CONFLICT (series_id, bucket) DO UPDATE SET
        {", ".join(f"{name} = excluded.{name}" for name in COLUMNS.split(", "))}
    WHERE excluded.samples > {{table}}.samples
"""


def bucket_of(width: str, column: str) -> str:
    """Return the expression for the begin of an instant's bucket."""
    return f"date_bin({width}, {column}, {ORIGIN})"


def upsert(table: str, select: str) -> str:
    """Return the statement that writes roll-ups; `select` yields series_id, bucket and COLUMNS."""
    return f"INSERT INTO {table} (series_id, bucket, {COLUMNS}) {select} {_UPSERT.format(table=table)}"


QUARTERS_OF_TIME = upsert(
    "meter_rollup_15m",
    f"""
    SELECT series_id, {bucket_of(QUARTER, "effective_at")}, {OF_SAMPLES} FROM meter_values
    WHERE effective_at >= %(since)s AND effective_at < %(until)s AND {USABLE} GROUP BY 1, 2
    """,
)
DAYS_OF_TIME = upsert(
    "meter_rollup_day",
    f"""
    SELECT series_id, {bucket_of(DAY, "bucket")}, {OF_QUARTERS} FROM meter_rollup_15m
    WHERE bucket >= %(since)s AND bucket < %(until)s GROUP BY 1, 2
    """,
)


def _of_stretches(table: str, width: str) -> str:
    # since and until are the ends of all stretches, constants by which other chunks are not even planned for.
    return upsert(
        table,
        f"""
        SELECT stretch.series_id, stretch.bucket, {COLUMNS}
        FROM unnest(%(series_ids)s::int[], %(buckets)s::timestamptz[]) AS stretch(series_id, bucket)
        CROSS JOIN LATERAL (
            SELECT {OF_SAMPLES} FROM meter_values
            WHERE meter_values.series_id = stretch.series_id AND {USABLE}
              AND effective_at >= stretch.bucket AND effective_at < stretch.bucket + {width}
              AND effective_at >= %(since)s AND effective_at < %(until)s
        ) AS found
        WHERE samples > 0
        """,
    )


QUARTERS_OF_STRETCHES = _of_stretches("meter_rollup_15m", QUARTER)
DAYS_OF_STRETCHES_RAW = _of_stretches("meter_rollup_day", DAY)
DAYS_OF_STRETCHES = upsert(
    "meter_rollup_day",
    f"""
    SELECT stretch.series_id, stretch.bucket, {COLUMNS}
    FROM unnest(%(series_ids)s::int[], %(buckets)s::timestamptz[]) AS stretch(series_id, bucket)
    CROSS JOIN LATERAL (
        SELECT {OF_QUARTERS} FROM meter_rollup_15m
        WHERE meter_rollup_15m.series_id = stretch.series_id AND bucket >= stretch.bucket
          AND bucket < stretch.bucket + {DAY}
          AND bucket >= %(since)s AND bucket < %(until)s
    ) AS found
    WHERE samples > 0
    """,
)
