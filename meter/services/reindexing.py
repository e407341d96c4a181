"""Rebuilds the bloated identity index of samples.

Every series appends in the middle of the index, so that page splits leave halves which are never filled: the index
takes twice the space it needs, on disk and in memory. Rebuilt where nothing is added any more, it stays dense.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from evcharging.db.advisory_locks import AdvisoryLock, try_lock_for_session, unlock_session
from evcharging.db.timescale import is_hypertable

SLACK = 1.35
"""An index that takes this many times what it needs is rebuilt; one that has grown takes almost twice as much."""
MIN_BYTES = 8 * 1024 * 1024
"""Smaller ones are left alone."""

_CHUNKS = """
    SELECT format('%%I.%%I', chunk_schema, chunk_name) FROM timescaledb_information.chunks
    WHERE hypertable_name = 'meter_values' AND range_end <= %s AND NOT is_compressed ORDER BY range_start
"""
_INDEXES = """
    SELECT i.indexrelid::regclass::text, i.indisvalid, pg_relation_size(i.indexrelid)
    FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
    WHERE i.indrelid = to_regclass(%s) AND i.indisunique AND i.indpred IS NULL
        AND (i.indisvalid OR x.relname ~ '_cc(new|old)[0-9]*$')
"""
# An entry has a header, a pointer to it, three columns of eight bytes (series_id is padded) and the reported id of the
# transaction; a tenth of a page stays free.
_NEEDED = """
    SELECT GREATEST(t.reltuples, 0) * (8 + 4 + 24 + 8 * ceil(COALESCE(s.avg_width, 1) / 8.0)) / 0.9
    FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
    LEFT JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = t.relname AND s.attname = 'transaction_ref'
    WHERE t.oid = to_regclass(%s)
"""


class Reindexed(NamedTuple):
    """An index that was rebuilt: its bytes before and after; after 0 for the remains of an interrupted run."""

    name: str
    before: int
    after: int

    def __str__(self) -> str:
        return f"{self.name}: {self.before / 2**20:.1f} → {self.after / 2**20:.1f} MiB"


def reindex_samples(*, now: datetime) -> list[Reindexed] | None:
    """Rebuild the indexes of samples that are bloated, concurrently; outside of any database transaction.

    Of a hypertable only those of closed chunks. Drops the invalid indexes of an interrupted run. PostgreSQL needs the
    space of an index a second time meanwhile.

    :returns: None if another process does so now.
    """
    if not try_lock_for_session(AdvisoryLock.REINDEX_SAMPLES):
        return None
    with connection.cursor() as cursor:
        try:
            tables = ["meter_values"]
            if is_hypertable("meter_values"):
                cursor.execute(_CHUNKS, [now])
                tables = [name for (name,) in cursor.fetchall()]
            return [done for table in tables for done in _reindex(cursor, table)]
        finally:
            unlock_session(AdvisoryLock.REINDEX_SAMPLES)


def _reindex(cursor: Any, table: str) -> Iterator[Reindexed]:
    cursor.execute(_INDEXES, [table])
    for name, is_valid, size in cursor.fetchall():
        if not is_valid:
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            yield Reindexed(name, size, 0)
        elif size > MIN_BYTES and size > SLACK * _needed_bytes(cursor, table):
            cursor.execute(f"REINDEX INDEX CONCURRENTLY {name}")
            cursor.execute("SELECT pg_relation_size(%s::regclass)", [name])
            yield Reindexed(name, size, cursor.fetchone()[0])


def _needed_bytes(cursor: Any, table: str) -> float:
    """Estimate the size of a dense index from PostgreSQL's statistics."""
    cursor.execute("SELECT reltuples FROM pg_class WHERE oid = to_regclass(%s)", [table])
    if cursor.fetchone() == (-1,):
        cursor.execute(f"ANALYZE {table}")
    cursor.execute(_NEEDED, [table])
    (needed,) = cursor.fetchone()
    return float(needed)
