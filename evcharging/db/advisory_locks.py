"""All PostgreSQL advisory locks of this project, with their keys, so that no two jobs share one.

A lock is held until the end of the database transaction (`pg_advisory_xact_…`) or of the session. `lock_…` blocks;
`try_lock_…` returns False where another process has the lock.
"""

from enum import IntEnum

from django.db import connection


class AdvisoryLock(IntEnum):
    """64-bit keys, one per job."""

    MIGRATION = 0x45564348
    MAINTENANCE = 0x0CCB
    ROLL_UP = 0x0CCC
    ID_TAG_IMPORT = 0x0CCD
    STATION_IMPORT = 0x0CCE
    REINDEX_SAMPLES = 0x0CCF


def lock_for_transaction(lock: AdvisoryLock) -> None:
    """Block until the lock is acquired; held until the end of the current database transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int(lock)])


def try_lock_for_transaction(lock: AdvisoryLock) -> bool:
    """Acquire the lock until the end of the current database transaction, or return False."""
    return _try("SELECT pg_try_advisory_xact_lock(%s)", lock)


def try_lock_for_session(lock: AdvisoryLock) -> bool:
    """Acquire the lock until unlock_session(), or the end of the connection, or return False."""
    return _try("SELECT pg_try_advisory_lock(%s)", lock)


def unlock_session(lock: AdvisoryLock) -> None:
    """Release a lock of try_lock_for_session() on this connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s)", [int(lock)])


def lock_reservations_of(station_id: int) -> None:
    """Serialise reservations at a station, until the end of the current database transaction.

    Not by locking the station's row: batches lock many of these in another order, which could deadlock.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('reservations', %s))", [station_id])


def _try(statement: str, lock: AdvisoryLock) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement, [int(lock)])
        return bool(cursor.fetchone()[0])
