"""The parent of several server processes: prepares the database once, keeps them running, replaces and drains them.

It takes no connection itself. What it holds, the embedded servers and the listening socket, its children hold too: if
it is killed they notice by the end of their line to it, drain, and the last one stops the servers.
"""

import asyncio
import logging
import signal
import socket
import sys
import time
from typing import Any

from django.conf import settings

from evcharging.server.banner import say_what_to_do_next
from evcharging.server.child import Child
from evcharging.server.startup import FirstAdmin, Start

logger = logging.getLogger(__name__)

#: How long a new process may take before a rolling restart gives up and leaves the old one.
READY_S = 120.0
#: A process that dies is started again after this long, and twice as long each time it dies young.
FIRST_PAUSE_S, LAST_PAUSE_S = 0.5, 30.0
YOUNG_S = 30.0


class Supervisor:
    """Runs `processes` children on one listening socket until SIGTERM or SIGINT; SIGHUP replaces one after the other.

    :param listener: listens, and does not block: several wait for the same connection, and one gets it.
    """

    def __init__(self, processes: int, listener: socket.socket) -> None:
        self._listener = listener
        self._slots = [Slot(self) for _ in range(processes)]
        self._children: set[Child] = set()
        self._is_prepared = False
        self._start = Start(on_ready=self._on_ready, on_failure=lambda: self._on_loop(self._stop))
        self._had_terminal = sys.stdin is not None and sys.stdin.isatty()

    def run(self) -> str:
        """Serve; return why it could not, or "" after an orderly stop."""
        self._loop = asyncio.new_event_loop()
        self._stopping, self._restart_asked = asyncio.Event(), asyncio.Event()
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: self._on_loop(self._stop))
            signal.signal(signal.SIGHUP, lambda *_: self._on_loop(self._on_hangup))
            self._loop.run_until_complete(self._run())
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # none may leave the servers behind
                signal.signal(number, signal.SIG_IGN)
            self._loop.close()
            self._start.abandon()
            settings.EMBEDDED_SERVERS.release()
            logger.info("stopped")
        return self._start.failure

    async def _run(self) -> None:
        tasks = [asyncio.create_task(slot.keep()) for slot in self._slots]
        tasks.append(asyncio.create_task(self._restart_when_asked()))
        self._start.begin()
        await self._stopping.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listener.close()
        logger.info("draining %d processes", len(self._children))
        await asyncio.gather(*(child.stop() for child in self._children))

    # What happens to it

    def _on_loop(self, function: Any) -> None:
        self._loop.call_soon_threadsafe(function)

    def _on_ready(self, admin: FirstAdmin | None) -> None:
        say_what_to_do_next(admin)
        self._on_loop(self._prepared)

    def _prepared(self) -> None:
        self._is_prepared = True
        for child in self._children:
            child.say_prepared()

    def _stop(self) -> None:
        if self._stopping.is_set():
            for child in self._children:
                child.terminate()
        self._stopping.set()

    def _on_hangup(self) -> None:
        if self._had_terminal and not sys.stdin.isatty():
            self._stop()  # it is the terminal that hung up, and nobody asked for anything
        else:
            self._restart_asked.set()

    # Its children

    def spawn(self) -> Child:
        """Start a process. While others serve it does not listen before it is ready.

        :raises OSError: there is no memory or no process left for it.
        """
        child = Child(self._listener, listens_at_once=not any(other.serves for other in self._children))
        self._children.add(child)
        child.ended.add_done_callback(lambda _: self._children.discard(child))
        if self._is_prepared:
            child.say_prepared()
        return child

    async def _restart_when_asked(self) -> None:
        while True:
            await self._restart_asked.wait()
            self._restart_asked.clear()
            logger.info("rolling restart of %d processes", len(self._slots))
            for slot in self._slots:
                if not await slot.replace():
                    logger.error("the rolling restart is given up: a new process did not become ready")
                    break
            else:
                logger.info("rolling restart done")


class Slot:
    """The place of one process among the others: whoever is in it is gone one day, and another takes it."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._child: Child | None = None

    async def keep(self) -> None:
        """Start a process, and another whenever it dies."""
        pause_s = FIRST_PAUSE_S
        while True:
            if self._child is None or self._child.ended.done():
                try:
                    self._child = self._supervisor.spawn()
                except OSError as error:
                    logger.error("a process cannot be started, the next try is in %.1f s: %s", pause_s, error)
            if self._child is not None:
                dead = await self._until_dead(self._child)
                if time.monotonic() - dead.started_at > YOUNG_S:
                    pause_s = FIRST_PAUSE_S
                how = _how_it_ended(dead.ended.result())
                logger.error("process %d died (%s); another is started in %.1f s", dead.pid, how, pause_s)
            await asyncio.sleep(pause_s)  # in which a rolling restart may fill this place
            pause_s = min(pause_s * 2, LAST_PAUSE_S)

    async def _until_dead(self, child: Child) -> Child:
        """Wait until the process in this place is gone, whoever has replaced whom; return it."""
        while True:
            await asyncio.wait([child.ended])
            if self._child is None or self._child is child:
                return child
            child = self._child

    async def replace(self) -> bool:
        """Put a new process in the place of the old one, which is drained once the new one is ready."""
        new = self._supervisor.spawn()
        if not await new.becomes_ready(READY_S):
            await new.stop()
            return False
        old, self._child = self._child, new
        if old is not None:
            logger.info("process %d is replaced by %d", old.pid, new.pid)
            await old.stop()
        return True


def _how_it_ended(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
