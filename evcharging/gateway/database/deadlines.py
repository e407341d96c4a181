"""How long a message waits for the database, and in which order the waiting ones are served."""

import asyncio
import math
from collections import deque

from django.conf import settings


class Deadline:
    """The deadline of those that wait for the same queue; it moves while the database makes progress.

    DB_HOLD_S after the arrival, or after the last commit of the queue if that is later; DB_HOLDS_MAX × DB_HOLD_S after
    the arrival at most. A fleet that is served slowly keeps its sockets: closed, it would reconnect and send more.
    Times are those of the event loop.
    """

    def __init__(self) -> None:
        self._hold_s: float = settings.DB_HOLD_S  # read once: an attribute of Django's settings costs a microsecond
        self._longest_s = settings.DB_HOLDS_MAX * self._hold_s
        self._progress_at = -math.inf

    def extend(self, now: float) -> None:
        """Note a commit of the queue."""
        self._progress_at = now

    def expires_at(self, arrived_at: float) -> float:
        """Return the deadline of what arrived at `arrived_at`, as of now."""
        return min(max(arrived_at, self._progress_at) + self._hold_s, arrived_at + self._longest_s)


class FairSemaphore:
    """A semaphore that is acquired in the order of arrival, each waiter until its deadline."""

    def __init__(self, count: int, deadline: Deadline) -> None:
        self._free = count
        self._deadline = deadline
        self._waiters: deque[asyncio.Future[None]] = deque()

    async def acquire(self, arrived_at: float) -> bool:
        """Wait for the semaphore, which is to be released afterwards; return False if the deadline passed first."""
        if self._free:
            self._free -= 1
            return True
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters.append(waiter)
        try:
            while not waiter.done():
                wait_s = self._deadline.expires_at(arrived_at) - loop.time()
                if wait_s <= 0:
                    waiter.cancel()
                    return False
                await asyncio.wait({waiter}, timeout=wait_s)
        except asyncio.CancelledError:
            if not waiter.cancel():
                self.release()  # acquired in the same turn of the loop as the cancellation
            raise
        return True

    def release(self) -> None:
        """Hand the semaphore to the longest waiting one."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1
