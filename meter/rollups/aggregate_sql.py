"""The SQL that reads energy and power: roll-ups where they are complete, else the samples.

One statement has one snapshot of the progress of roll-ups, the roll-ups, the marks of late quarters and the samples,
so that its result does not depend on what is rolled up. Every hypertable and view of one is bounded by constants
(meter.rollups.read_bounds).
"""

from meter.rollups import roll_up_sql as sql
from meter.storage import DAYS_VIEW, QUARTERS_VIEW

_COLUMNS = f"series_id, bucket, {sql.COLUMNS}"
_WANTED = "series_id = ANY(%(series_ids)s::int[])"
_ROLLED = "(SELECT rolled_until FROM progress)"
_KEPT = "(SELECT kept_from FROM progress)"

# kept_from: before it roll-ups of a day stand in for those of 15 minutes, which are gone; begin of a day.
_PROGRESS = """
    progress AS (
        SELECT coalesce(max(quarters_until), '-infinity'::timestamptz) AS rolled_until,
               coalesce(max(quarters_from), '-infinity'::timestamptz) AS kept_from
        FROM meter_rollup_progress
    )
"""


def _stored(relation: str) -> str:
    return f"""
        SELECT {_COLUMNS}, bucket AS middle FROM {relation}
        WHERE {_WANTED} AND bucket >= %(stored_from)s AND bucket >= {_KEPT} AND bucket < %(until)s
    """


def _stored_days(relation: str) -> str:
    # A day of UTC counts for the day of another zone in which its noon lies.
    return f"""
        SELECT {_COLUMNS}, bucket + interval '12 hours' AS middle FROM {relation}
        WHERE %(with_days)s AND {_WANTED} AND bucket >= %(since)s - interval '12 hours'
          AND bucket < %(until)s - interval '12 hours' AND bucket < {_KEPT}
    """


_FRESH = f"""
    SELECT series_id, {sql.bucket_of(sql.QUARTER, "effective_at")} AS bucket, {sql.OF_SAMPLES},
           {sql.bucket_of(sql.QUARTER, "effective_at")} AS middle
    FROM meter_values
    WHERE {_WANTED} AND effective_at >= %(fresh_from)s AND effective_at < %(until)s
      AND effective_at >= greatest({_ROLLED}, {_KEPT}) AND {sql.USABLE}
    GROUP BY series_id, bucket
"""
_LATE = f"""
    SELECT {_COLUMNS}, bucket AS middle FROM meter_rollup_late
    CROSS JOIN LATERAL (
        SELECT {sql.OF_SAMPLES} FROM meter_values
        WHERE meter_values.series_id = meter_rollup_late.series_id AND {sql.USABLE}
          AND effective_at >= bucket AND effective_at < bucket + {sql.QUARTER}
          AND effective_at >= %(late_from)s AND effective_at < %(late_until)s
    ) AS found
    WHERE {_WANTED} AND bucket >= %(since)s AND bucket >= {_KEPT} AND bucket < %(until)s AND samples > 0
"""


def _sources(continuous: bool) -> list[str]:
    """Return the SELECTs that together have every quarter; of several rows of one, that of most samples counts."""
    sources = [f"{_stored('meter_rollup_15m')} AND bucket < {_ROLLED}", _stored_days("meter_rollup_day"), _LATE]
    if continuous:  # their views read the samples of the newest quarters too
        return [*sources, _stored(QUARTERS_VIEW), _stored_days(DAYS_VIEW)]
    return [*sources, _FRESH]


def _rows(continuous: bool) -> str:
    """Return the CTEs of what was measured, with series that differ in context, format or unit only merged."""
    return f"""
        {_PROGRESS},
        stretches AS (
            SELECT DISTINCT ON (series_id, bucket) * FROM ({" UNION ALL ".join(_sources(continuous))}) AS found
            ORDER BY series_id, bucket, samples DESC
        ),
        measured AS (
            SELECT connector_id, location, phase, stretches.*
            FROM stretches JOIN meter_series ON meter_series.id = series_id
        )
    """


def _before(continuous: bool) -> str:
    """Return the SELECT of every register's last value before the requested time: from days that are rolled up, later
    quarters, later samples, and quarters that are marked as late."""
    days = ["meter_rollup_day", *([DAYS_VIEW] if continuous else [])]
    quarters = [("meter_rollup_15m", "%(earlier_quarters_from)s")]
    if continuous:
        quarters.append((QUARTERS_VIEW, f"{sql.bucket_of(sql.DAY, '%(since)s')}"))
    sources = [f"{_LAST_ROLLED.format(relation=relation, condition='bucket < %(since)s')}" for relation in days]
    sources += [
        _LAST_ROLLED.format(relation=relation, condition=f"bucket >= {begin} AND bucket < %(since)s")
        for relation, begin in quarters
    ]
    sources.append(_LAST_LATE)
    if not continuous:  # whose views answer for the newest samples too
        sources.append(_LAST_FRESH)
    return f"""
        SELECT DISTINCT ON (connector_id, location, phase) connector_id, location, phase, last_value
        FROM meter_series CROSS JOIN LATERAL ({" UNION ALL ".join(sources)}) AS known
        WHERE id = ANY(%(series_ids)s::int[])
        ORDER BY connector_id, location, phase, last_at DESC, last_value DESC
    """


_LAST_ROLLED = """
    (SELECT last_at, last_value FROM {relation} WHERE series_id = meter_series.id AND last_at < %(since)s
       AND {condition} ORDER BY bucket DESC LIMIT 1)
"""
_LAST_FRESH = f"""
    (SELECT effective_at AS last_at, value AS last_value FROM meter_values
     WHERE series_id = meter_series.id AND effective_at >= %(earlier_samples_from)s AND effective_at < %(since)s
       AND {sql.USABLE}
     ORDER BY effective_at DESC, value DESC LIMIT 1)
"""
_LAST_LATE = f"""
    (SELECT effective_at AS last_at, value AS last_value FROM meter_rollup_late AS late JOIN meter_values
       ON meter_values.series_id = late.series_id AND effective_at >= bucket AND effective_at < bucket + {sql.QUARTER}
     WHERE late.series_id = meter_series.id AND meter_values.series_id = meter_series.id AND bucket < %(since)s
       AND effective_at >= %(earlier_late_from)s AND effective_at < %(earlier_late_until)s AND {sql.USABLE}
     ORDER BY effective_at DESC, value DESC LIMIT 1)
"""


def energy(continuous: bool, begins: str) -> str:
    """Return the SELECT of (connector, location, phase, begin, Wh, whether a register was reset, samples) per bucket.

    Energy is what the register rose by since its last value before. A register that fell counts as reset: nothing was
    consumed, and it goes on from the lower value.
    """
    return f"""
        WITH {_rows(continuous)},
        merged AS (
            SELECT connector_id, location, phase, middle, sum(samples) AS samples,
                   (array_agg(first_value ORDER BY first_at, first_value))[1] AS first_value,
                   (array_agg(last_value ORDER BY last_at, last_value))[count(*)::int] AS last_value
            FROM measured GROUP BY connector_id, location, phase, middle
        ),
        before AS ({_before(continuous)}),
        steps AS (
            SELECT merged.*, coalesce(
                lag(merged.last_value) OVER (PARTITION BY connector_id, location, phase ORDER BY middle),
                before.last_value, merged.first_value
            ) AS begun
            FROM merged LEFT JOIN before USING (connector_id, location, phase)
        )
        SELECT connector_id, location, phase, {begins} AS begins,
               sum(greatest(first_value - begun, 0) + greatest(last_value - first_value, 0)),
               bool_or(first_value < begun OR last_value < first_value), sum(samples)::int
        FROM steps GROUP BY 1, 2, 3, 4 ORDER BY 4
    """


def power(continuous: bool, begins: str) -> str:
    """Return the SELECT of (connector, location, phase, begin, mean, highest, samples) per bucket."""
    return f"""
        WITH {_rows(continuous)}
        SELECT connector_id, location, phase, {begins} AS begins, sum(total) / sum(samples), max(highest),
               sum(samples)::int
        FROM measured GROUP BY 1, 2, 3, 4 ORDER BY 4
    """
