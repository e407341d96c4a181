"""Throttles accept(): while the event loop is late, new connections wait in the kernel's listen queue.

Without it a fleet that reconnects at once would keep the sockets that are already open from being served.
"""

import asyncio
from typing import Any

CHECK_EVERY_S = 0.02
LATE_S = 0.05
"""The event loop is late when a timer fires this long after it was due."""
ACCEPTS, ACCEPTS_WHEN_LATE = 10, 1
"""accept() calls per reactor turn. At least 1: the cause of the lateness may last."""


class AcceptThrottle:
    """Measures how late the event loop is and limits the accept() calls of Twisted's listening ports accordingly."""

    def __init__(self) -> None:
        self._ports: list[Any] = []
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, port: Any) -> None:
        """Throttle a listening port from now on."""
        self._ports.append(port)
        if self._timer is None:
            self._schedule(asyncio.get_event_loop())

    def stop(self) -> None:
        """Stop measuring; the ports keep their last limit."""
        if self._timer is not None:
            self._timer.cancel()

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + CHECK_EVERY_S
        self._timer = loop.call_at(self._due, self._check, loop)

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        is_late = loop.time() - self._due >= LATE_S
        for port in self._ports:
            # Set at every check, for Twisted adds 20 whenever it has used up its limit.
            port.numberAccepts = ACCEPTS_WHEN_LATE if is_late else ACCEPTS
        self._schedule(loop)
