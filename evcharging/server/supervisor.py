"""The parent of several server processes: prepares the database once, restarts, replaces and drains them.

It accepts no connection itself. Its children hold the embedded servers and the listening socket too: if it is killed,
they notice the end of their socket pair, drain, and the last one stops the servers.
"""

import asyncio
import logging
import signal
import socket
import sys
import time
from typing import Any

from django.conf import settings

from evcharging.server.banner import print_banner
from evcharging.server.child import Child
from evcharging.server.startup import FirstAdmin, Start

logger = logging.getLogger(__name__)

#: How long a new process may take to be ready before a rolling restart is aborted and the old one stays.
READY_S = 120.0
#: Exponential back-off between the restarts of a process that lived less than STABLE_S.
FIRST_PAUSE_S, LAST_PAUSE_S = 0.5, 30.0
STABLE_S = 30.0


class Supervisor:
    """Runs `processes` children on one listening socket until SIGTERM or SIGINT; SIGHUP is a rolling restart.

    :param listener: listens and is non-blocking: all children poll it, and one accepts each connection.
    """

    def __init__(self, processes: int, listener: socket.socket) -> None:
        self._listener = listener
        self._slots = [Slot(self) for _ in range(processes)]
        self._children: set[Child] = set()
        self._is_prepared = False
        self._start = Start(on_ready=self._on_ready, on_failure=lambda: self._on_loop(self._stop))
        self._had_terminal = sys.stdin is not None and sys.stdin.isatty()

    def run(self) -> str:
        """Serve until told to stop; return the reason of a failed start, or ""."""
        self._loop = asyncio.new_event_loop()
        self._stopping, self._restart_asked = asyncio.Event(), asyncio.Event()
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: self._on_loop(self._stop))
            signal.signal(signal.SIGHUP, lambda *_: self._on_loop(self._on_hangup))
            self._loop.run_until_complete(self._run())
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # a second one must not interrupt the stop
                signal.signal(number, signal.SIG_IGN)
            self._loop.close()
            self._start.abandon()
            settings.EMBEDDED_SERVERS.release()
            logger.info("stopped")
        return self._start.failure

    async def _run(self) -> None:
        tasks = [asyncio.create_task(slot.keep_running()) for slot in self._slots]
        tasks.append(asyncio.create_task(self._restart_when_asked()))
        self._start.begin()
        await self._stopping.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listener.close()
        logger.info("draining %d processes", len(self._children))
        await asyncio.gather(*(child.stop() for child in self._children))

    # Events: from threads and signal handlers, run on the loop

    def _on_loop(self, function: Any) -> None:
        self._loop.call_soon_threadsafe(function)

    def _on_ready(self, admin: FirstAdmin | None) -> None:
        print_banner(admin)
        self._on_loop(self._prepared)

    def _prepared(self) -> None:
        self._is_prepared = True
        for child in self._children:
            child.send_prepared()

    def _stop(self) -> None:
        if self._stopping.is_set():
            for child in self._children:
                child.terminate()
        self._stopping.set()

    def _on_hangup(self) -> None:
        if self._had_terminal and not sys.stdin.isatty():
            self._stop()  # the terminal was closed: the kernel sent it, not an operator
        else:
            self._restart_asked.set()

    # Children

    def spawn(self) -> Child:
        """Start a process; while others serve, it accepts no connection before it is ready.

        :raises OSError: no memory, or the limit of processes is reached.
        """
        child = Child(self._listener, listens_at_once=not any(other.is_serving for other in self._children))
        self._children.add(child)
        child.ended.add_done_callback(lambda _: self._children.discard(child))
        if self._is_prepared:
            child.send_prepared()
        return child

    async def _restart_when_asked(self) -> None:
        while True:
            await self._restart_asked.wait()
            self._restart_asked.clear()
            logger.info("rolling restart of %d processes", len(self._slots))
            for slot in self._slots:
                if not await slot.replace():
                    logger.error("rolling restart aborted: a new process did not become ready")
                    break
            else:
                logger.info("rolling restart done")


class Slot:
    """One of the `processes`: the child that runs, or the next that takes its place."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._child: Child | None = None

    async def keep_running(self) -> None:
        """Start a process, and another one whenever it dies."""
        pause_s = FIRST_PAUSE_S
        while True:
            if self._child is None or self._child.ended.done():
                try:
                    self._child = self._supervisor.spawn()
                except OSError as error:
                    logger.error("cannot start a process, retrying in %.1f s: %s", pause_s, error)
            if self._child is not None:
                dead = await self._until_dead(self._child)
                if time.monotonic() - dead.started_at > STABLE_S:
                    pause_s = FIRST_PAUSE_S
                reason = _exit_reason(dead.ended.result())
                logger.error("process %d died (%s); another is started in %.1f s", dead.pid, reason, pause_s)
            await asyncio.sleep(pause_s)  # meanwhile a rolling restart may start one here
            pause_s = min(pause_s * 2, LAST_PAUSE_S)

    async def _until_dead(self, child: Child) -> Child:
        """Wait until the current process has ended, following replacements; return it."""
        while True:
            await asyncio.wait([child.ended])
            if self._child is None or self._child is child:
                return child
            child = self._child

    async def replace(self) -> bool:
        """Start a new process and drain the old one once it is ready; return False if it did not become ready."""
        new = self._supervisor.spawn()
        if not await new.wait_ready(READY_S):
            await new.stop()
            return False
        old, self._child = self._child, new
        if old is not None:
            logger.info("process %d is replaced by %d", old.pid, new.pid)
            await old.stop()
        return True


def _exit_reason(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
