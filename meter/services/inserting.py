"""Inserts rows of meter_values, a batch in one statement."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from evcharging.db.prepared import columns, run_prepared
from stations.services.connection import OWNED_SQL


class SampleRow(NamedTuple):
    """One row of meter_values without its id."""

    effective_at: datetime
    value: float | None
    reported_at: datetime | None
    series_id: int
    transaction_pk: int | None
    transaction_ref: str
    raw: str


_COLUMNS = "effective_at, value, reported_at, series_id, transaction_id, transaction_ref, raw"
_ARRAYS = "%s::timestamptz[], %s::float8[], %s::timestamptz[], %s::int[], %s::int[], %s::text[], %s::text[]"

# ORDER BY: two processes that store the same samples would else deadlock on the unique index.
_INSERT = f"""
    INSERT INTO meter_values ({_COLUMNS})
    SELECT * FROM unnest({_ARRAYS}) AS v({_COLUMNS})
    ORDER BY series_id, effective_at
    ON CONFLICT DO NOTHING
"""

# CASE keeps the look-up in `owned` a hashed subplan: as a semi-join it would be a nested loop, since PostgreSQL cannot
# estimate the length of an array.
_INSERT_OWNED = f"""
    WITH {OWNED_SQL},
    stored AS (
        INSERT INTO meter_values ({_COLUMNS})
        SELECT {_COLUMNS} FROM unnest({_ARRAYS}, %s::bigint[]) AS v({_COLUMNS}, station_id)
        WHERE CASE WHEN station_id IN (SELECT id FROM owned) THEN true END
        ORDER BY series_id, effective_at
        ON CONFLICT DO NOTHING
    )
    SELECT id FROM owned
"""


def insert_samples(rows: Sequence[SampleRow]) -> None:
    """Insert samples inside the current database transaction; skip those that are stored already."""
    if rows:
        run_prepared(_INSERT, columns(rows))


def insert_owned_samples(
    *, rows: Sequence[SampleRow], station_ids: Sequence[int], epochs: Mapping[int, int]
) -> set[int]:
    """Insert samples, at least one, of the stations that connections of these epochs own; return the ids of those.

    One statement, and so a database transaction of its own where none is open.

    :param station_ids: the station of each row, each a key of `epochs`.
    """
    owned = run_prepared(_INSERT_OWNED, [list(epochs), list(epochs.values()), *columns(rows), list(station_ids)])
    return {station_id for (station_id,) in owned}
