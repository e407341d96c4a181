"""Retention: drop whole chunks of hypertables, delete old rows of plain tables in small batches."""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction

from evcharging.db.timescale import is_hypertable

BATCH = 20_000
"""Rows that one database transaction deletes."""
SLICE = timedelta(hours=6)
"""Time range that a batch is searched in, so that it does not scan the dead rows of earlier batches again."""


class Removed(NamedTuple):
    """What was removed, or would be: rows of a plain table, or chunks of a hypertable."""

    relation: str
    amount: int
    unit: str
    before: datetime

    def __str__(self) -> str:
        return f"{self.relation}: {self.amount} {self.unit} before {self.before:%Y-%m-%d %H:%M}"


def remove_before(
    *,
    relation: str,
    column: str,
    before: datetime,
    is_dry_run: bool = False,
    unless: str = "false",
    parameters: Mapping[str, Any] | None = None,
    deadline: float | None = None,
) -> Removed:
    """Remove rows with `column` < `before`; of a hypertable or a continuous aggregate (its view), whole chunks.

    :param unless: SQL condition, with `parameters`, of rows that stay; for plain tables only.
    :param deadline: as time.monotonic(); no batch begins after it.
    """
    if is_hypertable(relation):
        return Removed(relation, _drop_chunks(relation, before, is_dry_run), "chunks", before)
    values = {**(parameters or {}), "before": before}
    old = f"{column} < %(before)s AND NOT ({unless})"
    with connection.cursor() as cursor:
        if is_dry_run:
            cursor.execute(f"SELECT count(*) FROM {relation} WHERE {old}", values)
            return Removed(relation, cursor.fetchone()[0], "rows", before)
        cursor.execute(f"SELECT min({column}) FROM {relation} WHERE {old}", values)
        (since,) = cursor.fetchone()
    count = 0
    while since is not None and since < before and (deadline is None or time.monotonic() < deadline):
        until = min(since + SLICE, before)
        deleted = _delete_batch(
            relation, f"{column} >= %(since)s AND {old}", {**values, "since": since, "before": until}
        )
        count += deleted
        if deleted < BATCH:
            since = until
    return Removed(relation, count, "rows", before)


def _delete_batch(relation: str, condition: str, values: Mapping[str, Any]) -> int:
    statement = f"""
        DELETE FROM {relation} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {relation} WHERE {condition} LIMIT {BATCH}))
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)


def _drop_chunks(relation: str, before: datetime, is_dry_run: bool) -> int:
    function = "show_chunks" if is_dry_run else "drop_chunks"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {function}(%s::regclass, older_than => %s)", [relation, before])
        return int(cursor.fetchone()[0])
