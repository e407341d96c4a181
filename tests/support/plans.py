"""What PostgreSQL plans for statements that are sent to the big tables: by which columns, and over which chunks."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from django.db import connection

from evcharging.db.timescale import is_hypertable

HYPERTABLES = {"meter_values": "series_id", "meter_rollup_15m": "series_id", "status_notifications": "station_id"}
"""Each with the column that its index begins with, and by which TimescaleDB compresses it."""
NAMES = re.compile(r"\b(meter_values|meter_rollup_15m|status_notifications)\b")
_BEGIN = re.compile(r"\b(effective_at|bucket) >= '")
_CONDITIONS = ("Index Cond", "Recheck Cond", "Filter", "TID Cond", "Vectorized Filter")
PROBE = "1999-06-01"
"""A chunk of this day, empty: who opens it reads everything that is older than what is asked for."""


class Scan(NamedTuple):
    """One scan in a plan of a hypertable, or of one of its chunks (`relation`)."""

    table: str
    relation: str
    conditions: str


class Asked(NamedTuple):
    """A statement and the scans of its plan."""

    statement: str
    scans: list[Scan]

    def unbounded(self, probes: set[str]) -> list[str]:
        """The chunks of PROBE that the statement opens although it names no begin."""
        opened = [scan for scan in self.scans if scan.relation in probes]
        return sorted({scan.relation for scan in opened if not _BEGIN.search(scan.conditions)})

    def unnamed(self) -> list[str]:
        """The relations that are read without the first column of their index."""
        return sorted({scan.relation for scan in self.scans if HYPERTABLES[scan.table] not in scan.conditions})


def make_probes() -> set[str]:
    """Make an empty chunk before all others of each hypertable; return their names, none on plain PostgreSQL."""
    made: set[str] = set()
    rows = {
        "meter_values": ("effective_at, series_id, transaction_ref, raw", "'{}', 0, '', ''"),
        "meter_rollup_15m": (
            "bucket, series_id, first_at, last_at, total, lowest, highest, first_value, last_value, samples",
            "'{0}', 0, '{0}', '{0}', 0, 0, 0, 0, 0, 0",
        ),
        "status_notifications": (
            "effective_at, received_at, station_id, connector_id, status, error_code, info, vendor_id,"
            " vendor_error_code",
            "'{0}', '{0}', 0, 0, 0, '', '', '', ''",
        ),
    }
    with connection.cursor() as cursor:
        for table, (columns, values) in rows.items():
            if not is_hypertable(table):
                continue
            before = _chunks(cursor, table)
            cursor.execute(f"INSERT INTO {table} ({columns}) VALUES ({values.format(PROBE)})")
            made |= _chunks(cursor, table) - before
            cursor.execute(f"DELETE FROM {table} WHERE {columns.split(',')[0]} = '{PROBE}'")
    return made


def _chunks(cursor: Any, table: str) -> set[str]:
    cursor.execute("SELECT chunk_name FROM timescaledb_information.chunks WHERE hypertable_name = %s", [table])
    return {name for (name,) in cursor.fetchall()}


@contextmanager
def explained() -> Iterator[list[Asked]]:
    """Explain each statement about a hypertable before it runs; the list fills meanwhile.

    Where an index can serve, it is planned for, however small the table is.
    """
    asked: list[Asked] = []
    is_ours = False

    def explain(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        nonlocal is_ours
        if not is_ours and NAMES.search(sql) and re.match(r"\s*(WITH|SELECT|INSERT|UPDATE|DELETE)\b", sql):
            is_ours = True
            try:
                asked.append(Asked(sql, _scans(sql, parameters)))
            finally:
                is_ours = False
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(explain):
        yield asked


def _scans(sql: str, parameters: Any) -> list[Scan]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('enable_seqscan', 'off', false)")
        try:
            cursor.execute(f"EXPLAIN (FORMAT JSON, VERBOSE) {sql}", parameters)
            (found,) = cursor.fetchone()
        finally:
            cursor.execute("SELECT set_config('enable_seqscan', 'on', false)")
        chunks = {}
        if is_hypertable("meter_values"):
            cursor.execute("SELECT chunk_name, hypertable_name FROM timescaledb_information.chunks")
            chunks = dict(cursor.fetchall())
    plan = json.loads(found) if isinstance(found, str) else found
    return [scan for node in _nodes(plan[0]["Plan"]) if (scan := _scan(node, chunks)) is not None]


def _scan(node: dict[str, Any], chunks: dict[str, str]) -> Scan | None:
    relation = node.get("Relation Name", "")
    table = relation if relation in HYPERTABLES else chunks.get(relation, "")
    is_append = "ChunkAppend" in str(node.get("Custom Plan Provider", ""))
    if table not in HYPERTABLES or "Scan" not in node["Node Type"] or is_append:
        return None
    conditions = [each.get(name, "") for each in _nodes(node) for name in _CONDITIONS]
    return Scan(table, relation, " ".join(map(str, conditions)))


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from _nodes(child)
