"""The simulated clock of a session."""

import asyncio
from datetime import datetime, timedelta

from evcharging.simulator.times import now


class SessionClock:
    """A clock that runs `speed` times as fast as real time and is never ahead of it.

    A session of half an hour that is to end within seconds therefore begins in the past, like a session that a station
    charged offline: central systems reject or correct timestamps in the future.
    """

    def __init__(self, at: datetime, speed: float) -> None:
        self.now, self.speed = at, speed

    async def advance(self, seconds: float, stop: asyncio.Event) -> float:
        """Wait until the clock has advanced by `seconds` or `stop` is set; return by how many it has advanced."""
        loop = asyncio.get_running_loop()
        ahead_s = (self.now - now()).total_seconds() + seconds
        wait_s = max(seconds / self.speed, ahead_s)
        began = loop.time()
        try:
            async with asyncio.timeout(wait_s):
                await stop.wait()
            passed_s = seconds * min(1.0, (loop.time() - began) / wait_s)
        except TimeoutError:
            passed_s = seconds
        self.now += timedelta(seconds=passed_s)
        return passed_s
