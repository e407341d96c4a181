"""New connections are accepted only while the event loop keeps up: a fleet that comes back waits in the listen queue,
and those who are connected already are served meanwhile."""

import asyncio
from typing import Any

TICK_S = 0.02
LATE_S = 0.05
"""An event loop that comes to a timer so much too late accepts nobody until it does not."""
ACCEPTS_AT_ONCE = 10
"""Connections accepted between two looks at everybody else."""


class Acceptance:
    """Watches the event loop, and with it opens and shuts the listening ports (Twisted's) of one server."""

    def __init__(self) -> None:
        self._ports: list[Any] = []
        self._is_open = True
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
        keeps_up = loop.time() - self._due < LATE_S
        for port in self._ports:
            port.numberAccepts = ACCEPTS_AT_ONCE  # Twisted raises it whenever more are waiting
        if keeps_up != self._is_open:
            self._is_open = keeps_up
            for port in self._ports:
                port.startReading() if keeps_up else port.stopReading()
        self._wait(loop)
