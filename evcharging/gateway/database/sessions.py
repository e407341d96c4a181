"""The database sessions of the gateway's threads: how long they wait for locks, and what PostgreSQL's errors mean."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import InterfaceError, InternalError, OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver

LOCK_TIMEOUT_MS = 300
"""How long a statement waits for a lock. Who holds one for longer is frozen, or somebody at a psql prompt."""
SHORT_LOCK_TIMEOUT_MS = 30
"""The same while the messages that need a locked row are told from those that do not."""
IDLE_TIMEOUT_MS = 5000
"""A transaction that is idle for so long is aborted by PostgreSQL: its process is frozen, or cut off from it."""

LIMIT_EXCEEDED = "53400"
"""SQLSTATE configuration_limit_exceeded: the transaction exceeds a limit, the database is available."""
LOCK_NOT_AVAILABLE = "55P03"
PROGRAM_LIMIT = "54"
"""Class of SQLSTATEs by which a message asks for more than PostgreSQL can hold, as an index row over 2,704 bytes."""


class DatabaseAway(Exception):
    """PostgreSQL did not commit the transaction, or the outcome of its commit is unknown."""


class RowLocked(DatabaseAway):
    """Somebody else holds a lock that the transaction needs; nothing was written, and the database is available."""


class _Thread(threading.local):
    """Whether this thread is one of the gateway's."""

    is_of_gateway = False


_thread = _Thread()


def mark_thread() -> None:
    """Have the connections of this thread wait for locks as a gateway does."""
    _thread.is_of_gateway = True


@receiver(connection_created)
def set_time_outs(connection: BaseDatabaseWrapper, **_: object) -> None:
    if _thread.is_of_gateway:
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {LOCK_TIMEOUT_MS}")
            cursor.execute(f"SET idle_in_transaction_session_timeout = {IDLE_TIMEOUT_MS}")


@contextmanager
def short_lock_timeout() -> Iterator[None]:
    """Wait for locks no longer than SHORT_LOCK_TIMEOUT_MS."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {SHORT_LOCK_TIMEOUT_MS}")
    try:
        yield
    finally:
        if connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute(f"SET lock_timeout = {LOCK_TIMEOUT_MS}")


def read_error(error: OperationalError | InterfaceError | InternalError) -> Exception:
    """Return what an error of the driver means: RowLocked, DatabaseAway, or the error itself where the message is to
    blame for it."""
    sqlstate = str(getattr(error.__cause__, "sqlstate", None) or "")
    if sqlstate == LOCK_NOT_AVAILABLE:
        return RowLocked(str(error).strip())
    if sqlstate.startswith(PROGRAM_LIMIT):
        return error
    return DatabaseAway(str(error).strip())
