"""What plain starts and plain stops have in common."""

from django.db import connection

from stations.timing import effective_time
from transactions.types import StartMessage, StopMessage


def is_of_good_standing(message: StartMessage | StopMessage) -> bool:
    """Tell whether an accepted station sent the message, and its time is credible."""
    return (
        message.is_station_accepted
        and effective_time(
            reported_at=message.report.reported_at,
            received_at=message.received_at,
            clock_drift_s=message.clock_drift_s,
        ).is_credible
    )


def let_go() -> None:
    """End a database transaction that has stored nothing: its locks are let go, and nobody waits for the disk.

    A rollback would do, but for the driver, which then has PostgreSQL forget every prepared statement.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
