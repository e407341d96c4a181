"""Rows of meter_values, stored by the batch in one statement."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from evcharging.prepared import columns, run_prepared


class SampleRow(NamedTuple):
    """One row of meter_values without its id."""

    effective_at: datetime
    value: float | None
    reported_at: datetime | None
    series_id: int
    transaction_pk: int | None
    transaction_ref: str
    raw: str


# In one order, so that two processes that store the same samples do not deadlock on the unique index.
_INSERT = """
    INSERT INTO meter_values (effective_at, value, reported_at, series_id, transaction_id, transaction_ref, raw)
    SELECT * FROM unnest(%s::timestamptz[], %s::float8[], %s::timestamptz[], %s::int[], %s::int[], %s::text[],
                         %s::text[])
        AS v(effective_at, value, reported_at, series_id, transaction_id, transaction_ref, raw)
    ORDER BY series_id, effective_at
    ON CONFLICT DO NOTHING
"""


def insert_samples(rows: Sequence[SampleRow]) -> None:
    """Store samples inside the current database transaction; those that are stored already are left as they are."""
    if rows:
        run_prepared(_INSERT, columns(rows))
