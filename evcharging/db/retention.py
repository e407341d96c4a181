"""Delete what is older than its retention: whole chunks of hypertables, small batches of plain tables."""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction

from evcharging.db.timescale import is_hypertable

BATCH = 20_000
"""Rows that one transaction deletes."""
SLICE = timedelta(hours=6)
"""Time that a batch is looked for in, so that none reads again what the batches before it left dead."""


class Removed(NamedTuple):
    """What is gone, or would be: rows of a plain table, chunks of a hypertable."""

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
    """Remove rows with `column` < `before`. Of a hypertable only chunks that end by then are dropped; a continuous
    aggregate (the name of its view) is one.

    :param unless: SQL for the rows of a plain table that stay, with `parameters`; chunks know no rows.
    :param deadline: of time.monotonic(): begin no batch after it.
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
