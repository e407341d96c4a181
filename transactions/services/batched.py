"""What the fast paths of starts and of stops share."""

from django.db import connection

from transactions.types import StartMessage, StopMessage


def is_accepted_and_credible(message: StartMessage | StopMessage) -> bool:
    """Tell whether an accepted station sent the message, with a credible time."""
    received = message.received
    return received.is_station_accepted and received.effective_time(message.report.reported_at).is_credible


def release_locks() -> None:
    """Make the commit of a database transaction that has written nothing cheap: it does not wait for the WAL flush.

    A rollback would release the locks too, but after one the driver has PostgreSQL forget every prepared statement.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
