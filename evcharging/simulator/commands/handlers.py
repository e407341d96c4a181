"""Base of the objects that answer commands."""

from collections.abc import Callable, Coroutine
from typing import Any

from evcharging.simulator.connection import Connection
from evcharging.simulator.station import Station

FollowUp = Callable[[], Coroutine[Any, Any, None]]


class CommandHandlers:
    """Handlers of some commands on one connection.

    A handler returns at once and leaves what takes time to a follow-up: the connection receives nothing while a
    handler runs, so one that awaited an answer of the central system would wait forever.

    :param after_answer: schedules a follow-up for when the command's answer has been sent.
    """

    def __init__(self, station: Station, connection: Connection, after_answer: Callable[[FollowUp], None]) -> None:
        self.station, self.connection, self.after_answer = station, connection, after_answer
