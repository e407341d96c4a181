"""The state of one charger's connection, while its socket is open."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from evcharging.gateway.ocppj.normalise import Quirks
from stations.services.connection import ConnectedStation
from stations.timing import ClockDrift


class Transport(Protocol):
    """The live socket under a connection, where the server offers it."""

    last_frame_at: float
    reading_paused: bool

    def ping(self) -> None: ...
    def abort(self) -> None: ...


class Connection:
    """A station as its socket knows it: the row as of now, zone, quirks and clock drift, and how to send and close."""

    def __init__(
        self,
        station: ConnectedStation,
        *,
        send: Callable[[str], Awaitable[None]],
        close: Callable[[int], Awaitable[None]],
        transport: Transport | None,
    ) -> None:
        self.station = station
        self.clock_drift = ClockDrift()
        self.send = send
        self.close = close
        self.transport = transport
        self.last_message_at = time.monotonic()
        self.flushed_frame_at = 0.0
        self.on_change: Callable[[], None] = lambda: None
        self.use(station)

    def use(self, station: ConnectedStation) -> None:
        """Take over what staff or a boot changed, and tell `on_change`."""
        self.station = station
        self.zone = ZoneInfo(station.time_zone)
        self.quirks = Quirks(zone=self.zone, id_tag_transform=station.id_tag_transform)
        self.on_change()

    def on_boot(self, status: str, firmware_version: str, now: datetime) -> None:
        """Take over what a boot told and was answered."""
        self.use(
            replace(
                self.station,
                registration_status=status,
                was_ever_accepted=self.station.was_ever_accepted or status == "Accepted",
                firmware_version=firmware_version,
                last_boot_at=now,
            )
        )

    @property
    def is_accepted(self) -> bool:
        return self.station.registration_status == "Accepted"

    @property
    def last_frame_at(self) -> float:
        """Monotonic time of the latest sign of life, pongs included where the server shows them."""
        if self.transport is not None:
            return max(self.transport.last_frame_at, self.last_message_at)
        return self.last_message_at
