"""How long a message waits for the database, and in which order."""

import asyncio
import math
from collections import deque

from django.conf import settings


class Patience:
    """Until when those wait whose messages go the same way.

    DB_HOLD_S from when they came, and while others before them get on, from when the last of those did; DB_HOLDS_MAX
    times as long at most. A fleet that is slow to be served is not closed, only to come back and ask for more.
    """

    def __init__(self) -> None:
        self._hold_s: float = settings.DB_HOLD_S  # once: Django's settings cost a microsecond a look
        self._longest_s = settings.DB_HOLDS_MAX * self._hold_s
        self._got_on_at = -math.inf

    def get_on(self, now: float) -> None:
        """Note that the database has taken something. Times are the event loop's."""
        self._got_on_at = now

    def deadline(self, since: float) -> float:
        """Return when those who came at `since` are given up, as it looks now."""
        return min(max(since, self._got_on_at) + self._hold_s, since + self._longest_s)


class Turns:
    """A few at a time, in the order in which they came."""

    def __init__(self, count: int, patience: Patience) -> None:
        self._free = count
        self._patience = patience
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self, since: float) -> bool:
        """Wait for a turn, to be given back; False: there was none while patience lasted."""
        if self._free:
            self._free -= 1
            return True
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        try:
            while not turn.done():
                wait_s = self._patience.deadline(since) - loop.time()
                if wait_s <= 0:
                    turn.cancel()
                    return False
                await asyncio.wait({turn}, timeout=wait_s)
        except asyncio.CancelledError:
            if not turn.cancel():
                self.give_back()  # it came in the same moment
            raise
        return True

    def give_back(self) -> None:
        """Let the next one have the turn."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
