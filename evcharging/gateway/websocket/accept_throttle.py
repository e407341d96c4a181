"""New connections are accepted only as fast as the event loop keeps up: a fleet that comes back waits in the listen
queue, and those who are connected already are served meanwhile."""

import asyncio
from typing import Any

TICK_S = 0.02
LATE_S = 0.05
"""An event loop that comes to a timer so much too late is late."""
ACCEPTS, ACCEPTS_WHEN_LATE = 10, 1
"""Connections accepted between two looks at everybody else; never none, for what makes the loop late may stay."""


class Acceptance:
    """Watches the event loop, and sets how many connections the listening ports (Twisted's) of a server accept."""

    def __init__(self) -> None:
        self._ports: list[Any] = []
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, port: Any) -> None:
        """Take a listening port into care."""
        self._ports.append(port)
        if self._timer is None:
            self._wait(asyncio.get_event_loop())

    def stop(self) -> None:
        """Leave the ports alone from now on."""
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + TICK_S
        self._timer = loop.call_at(self._due, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        is_late = loop.time() - self._due >= LATE_S
        for port in self._ports:
            # Twisted raises it whenever more are waiting.
            port.numberAccepts = ACCEPTS_WHEN_LATE if is_late else ACCEPTS
        self._wait(loop)
