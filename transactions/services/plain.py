"""What plain starts and plain stops have in common."""

from collections.abc import Sequence
from typing import TypeVar

from django.db import connection

from stations.services import hold_epochs
from stations.timing import effective_time
from transactions.types import StartMessage, StopMessage

Message = TypeVar("Message", StartMessage, StopMessage)


def of_good_standing(messages: Sequence[Message]) -> list[tuple[int, Message]]:
    """Return, with their places, the messages of a credible time that accepted stations sent on connections that still
    own them; held so until the end of the database transaction."""
    epochs = hold_epochs(station_ids=[message.station_id for message in messages])
    return [
        (place, message)
        for place, message in enumerate(messages)
        if epochs.get(message.station_id) == message.epoch and message.is_station_accepted and _is_credible(message)
    ]


def let_go() -> None:
    """End a database transaction that has stored nothing: its locks are let go, and nobody waits for the disk.

    A rollback would do, but for the driver, which then has PostgreSQL forget every prepared statement.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")


def _is_credible(message: StartMessage | StopMessage) -> bool:
    return effective_time(
        reported_at=message.report.reported_at,
        received_at=message.received_at,
        clock_drift_s=message.clock_drift_s,
    ).is_credible
