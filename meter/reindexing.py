"""The index of samples made dense again.

Many series grow at once in the middle of it, so that PostgreSQL splits its pages in halves that are never filled: it
takes twice the room that it needs, on the disk and in memory. Rebuilt where nothing is added any more, it stays dense.
"""

from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from evcharging.timescale import is_hypertable

ROW_BYTES = 60
"""An index that takes more than this for a row is rebuilt; a dense one takes about 45, a grown one 90."""
MIN_BYTES = 8 * 1024 * 1024
"""Smaller ones are left alone."""

_CHUNKS = """
    SELECT format('%%I.%%I', chunk_schema, chunk_name) FROM timescaledb_information.chunks
    WHERE hypertable_name = 'meter_values' AND range_end <= %s AND NOT is_compressed ORDER BY range_start
"""
_SIZES = """
    SELECT i.indexrelid::regclass::text, i.indisvalid, pg_relation_size(i.indexrelid)
    FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
    WHERE i.indrelid = %s::regclass AND i.indisunique AND i.indpred IS NULL
        AND (i.indisvalid OR x.relname ~ '_ccnew[0-9]*$')
"""


class Reindexed(NamedTuple):
    """An index that was rebuilt: its bytes before and after."""

    name: str
    before: int
    after: int

    def __str__(self) -> str:
        return f"{self.name}: {self.before / 2**20:.1f} → {self.after / 2**20:.1f} MiB"


def reindex_samples(*, now: datetime) -> list[Reindexed]:
    """Rebuild the indexes of samples that take too much room, while they are read and written; outside of any database
    transaction. Of a hypertable those of chunks that are over.

    PostgreSQL needs as much room again meanwhile; what a run that was cut off left behind is removed.
    """
    done = []
    with connection.cursor() as cursor:
        tables = ["meter_values"]
        if is_hypertable("meter_values"):
            cursor.execute(_CHUNKS, [now])
            tables = [name for (name,) in cursor.fetchall()]
        for table in tables:
            cursor.execute(_SIZES, [table])
            for name, is_valid, size in cursor.fetchall():
                if not is_valid:
                    cursor.execute(f"DROP INDEX CONCURRENTLY {name}")
                elif size > MIN_BYTES and size > ROW_BYTES * _rows(cursor, table):
                    cursor.execute(f"REINDEX INDEX CONCURRENTLY {name}")
                    cursor.execute("SELECT pg_relation_size(%s::regclass)", [name])
                    done.append(Reindexed(name, size, cursor.fetchone()[0]))
    return done


def _rows(cursor: Any, table: str) -> int:
    """Return how many rows a table has, as good as a sample tells."""
    cursor.execute(f"ANALYZE {table}")
    cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [table])
    return int(cursor.fetchone()[0])
