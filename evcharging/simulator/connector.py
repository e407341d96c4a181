"""A connector of a simulated station, and the interface of the session that occupies it."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from evcharging.simulator.meter import Meter, Vehicle
from evcharging.simulator.session_clock import SessionClock


class ActiveSession(Protocol):
    """A session as the station and its command handlers use it; `session.Session` implements it."""

    clock: SessionClock
    began_at: datetime
    transaction_id: int | None
    finished: asyncio.Event

    def stop(self, reason: str) -> None:
        """Request the end of the session; only the first reason is used."""


@dataclass
class Connector:
    """One connector; it is free while no session occupies it."""

    number: int
    meter: Meter
    status: str = "Available"
    is_operative: bool = True
    vehicle: Vehicle | None = None
    session: ActiveSession | None = None
