"""PostgreSQL's advisory locks that this project uses: every id stands here, so that no two jobs share one.

A lock ends with its database transaction (`_xact_`) or with its session. Who may wait uses `lock_for_transaction`, who
leaves the job to another process `try_lock…`.
"""

from enum import IntEnum

from django.db import connection


class AdvisoryLock(IntEnum):
    """The 64-bit keys, one a job."""

    MIGRATION = 0x45564348
    MAINTENANCE = 0x0CCB
    ROLL_UP = 0x0CCC
    ID_TAG_IMPORT = 0x0CCD
    STATION_IMPORT = 0x0CCE
    REINDEX_SAMPLES = 0x0CCF


def lock_for_transaction(lock: AdvisoryLock) -> None:
    """Wait for the lock; it is released at the end of the current database transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int(lock)])


def try_lock_for_transaction(lock: AdvisoryLock) -> bool:
    """Take the lock until the end of the current database transaction; False where another has it."""
    return _try("SELECT pg_try_advisory_xact_lock(%s)", lock)


def try_lock_for_session(lock: AdvisoryLock) -> bool:
    """Take the lock until `unlock_session`, or the end of the connection; False where another has it."""
    return _try("SELECT pg_try_advisory_lock(%s)", lock)


def unlock_session(lock: AdvisoryLock) -> None:
    """Release what `try_lock_for_session` took on this connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s)", [int(lock)])


def lock_reservations_of(station_id: int) -> None:
    """Wait for all others who reserve at this station; until the end of the current database transaction.

    Not by the station's row: a batch locks many of those, in another order than who writes that stations live.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('reservations', %s))", [station_id])


def _try(statement: str, lock: AdvisoryLock) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement, [int(lock)])
        return bool(cursor.fetchone()[0])
