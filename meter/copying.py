"""Rows of meter_values in PostgreSQL's binary COPY format.

The rows are packed here because the driver's per-value adaptation costs several times more, and this is the hottest
loop of the system; bench/ measures it.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from struct import Struct
from typing import NamedTuple

from django.db import connection, transaction


class SampleRow(NamedTuple):
    """One row of meter_values without its id."""

    effective_at: datetime
    value: float | None
    reported_at: datetime | None
    series_id: int
    transaction_pk: int | None
    transaction_ref: str
    raw: str


COLUMNS = "effective_at, value, reported_at, series_id, transaction_id, transaction_ref, raw"
_HAS_TABLE = "has_incoming_meter_values"
_CREATE_TABLE = """
    CREATE TEMPORARY TABLE IF NOT EXISTS incoming_meter_values (
        effective_at timestamptz, value float8, reported_at timestamptz, series_id int, transaction_id int,
        transaction_ref text, raw text
    ) ON COMMIT DELETE ROWS
"""
_COPY = f"COPY incoming_meter_values ({COLUMNS}) FROM STDIN (FORMAT BINARY)"
# In one order, so that two processes that store the same samples do not deadlock on the unique index.
_INSERT = f"""
    INSERT INTO meter_values ({COLUMNS})
    SELECT {COLUMNS} FROM incoming_meter_values ORDER BY series_id, effective_at
    ON CONFLICT DO NOTHING
"""
HEADER = b"PGCOPY\n\xff\r\n\x00" + b"\x00" * 8
TRAILER = b"\xff\xff"
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
NULL = b"\xff\xff\xff\xff"

# Field count, then length and value of each field; the usual row has no reported_at.
_USUAL = Struct("!hiqidiiiiii")
_USUAL_NO_TRANSACTION = Struct("!hiqidiiiii")
_INT16 = Struct("!h")
_INT32_INT64 = Struct("!iq")
_INT32_DOUBLE = Struct("!id")
_INT32_INT32 = Struct("!ii")
_INT32 = Struct("!i")


def insert_samples(rows: Iterable[SampleRow]) -> None:
    """Store samples inside the current database transaction; those that are stored already are left as they are."""
    connection.ensure_connection()
    link = connection.connection
    # The driver's own cursor: its statements stay prepared on the connection. Its errors become Django's, by which
    # the gateway knows a connection that was lost.
    with connection.wrap_database_errors, link.cursor() as cursor:
        if not getattr(link, _HAS_TABLE, False):
            cursor.execute(_CREATE_TABLE)
            # Only once it is committed: a rollback takes the table with it.
            transaction.on_commit(lambda: setattr(link, _HAS_TABLE, True))
        with cursor.copy(_COPY) as copy:
            copy.write(pack(rows))
        cursor.execute(_INSERT, prepare=True)


def pack(rows: Iterable[SampleRow]) -> bytes:
    """Return rows in the binary COPY format (PostgreSQL documentation, COPY, "Binary Format")."""
    parts = [HEADER]
    append = parts.append
    for row in rows:
        ref = row.transaction_ref.encode()
        raw = row.raw.encode()
        micros = _micros(row.effective_at)
        if row.value is not None and row.reported_at is None and row.transaction_pk is not None:
            append(_USUAL.pack(7, 8, micros, 8, row.value, -1, 4, row.series_id, 4, row.transaction_pk, len(ref)))
        elif row.value is not None and row.reported_at is None:
            append(_USUAL_NO_TRANSACTION.pack(7, 8, micros, 8, row.value, -1, 4, row.series_id, -1, len(ref)))
        else:
            append(_INT16.pack(7))
            append(_INT32_INT64.pack(8, micros))
            append(NULL if row.value is None else _INT32_DOUBLE.pack(8, row.value))
            append(NULL if row.reported_at is None else _INT32_INT64.pack(8, _micros(row.reported_at)))
            append(_INT32_INT32.pack(4, row.series_id))
            append(NULL if row.transaction_pk is None else _INT32_INT32.pack(4, row.transaction_pk))
            append(_INT32.pack(len(ref)))
        append(ref)
        append(_INT32.pack(len(raw)))
        append(raw)
    append(TRAILER)
    return b"".join(parts)


def _micros(instant: datetime) -> int:
    delta = instant - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
