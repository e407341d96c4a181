"""What every protocol version's handlers have in common: a message on its way in, an answer, and how it is handled."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from evcharging.gateway.connection import Connection
from evcharging.gateway.lanes import Lanes
from evcharging.gateway.ocppj.deviations import Applied
from stations.types import Received


class Message(NamedTuple):
    """A CALL on its way through a handler. `original` is the payload before it was normalised."""

    connection: Connection
    lanes: Lanes
    unique_id: Any
    payload: dict[str, Any]
    original: dict[str, Any]
    received_at: datetime
    deviations: list[Applied]

    @property
    def received(self) -> Received:
        """How the message came, with the clock drift that the connection has measured by now."""
        connection = self.connection
        station = connection.station
        return Received(
            station.station_id,
            station.epoch,
            self.received_at,
            connection.clock_drift.seconds,
            connection.is_accepted,
        )


class Answer(NamedTuple):
    """A CALLRESULT's payload; `may_be_remembered`: the same frame may be answered from memory."""

    payload: dict[str, Any]
    may_be_remembered: bool = True


EMPTY = Answer({})


@dataclass(frozen=True, slots=True)
class Handler:
    """How an Action is handled.

    `is_remembered`: a repeated frame is answered from memory; `is_queued`: chargers keep it and send it in order, and
    PostgreSQL knows a repeated one by its content; `is_high_volume`: logged at DEBUG only.
    """

    handle: Callable[[Message], Awaitable[Answer]]
    is_remembered: bool = False
    is_queued: bool = False
    is_high_volume: bool = False
