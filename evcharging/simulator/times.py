"""Time as OCPP writes it, and the pace at which a simulated session lives."""

import asyncio
from datetime import UTC, datetime, timedelta


def now() -> datetime:
    return datetime.now(UTC)


def text(at: datetime) -> str:
    """Return an instant as OCPP writes it, with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse(written: str) -> datetime:
    """Return an instant that the central system wrote; one without a zone is UTC.

    :raises ValueError:
    """
    at = datetime.fromisoformat(written)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


class Pace:
    """A session's own time. It goes `speed` times as fast as ours, and waits where it would get ahead of it.

    A session that is to be over in seconds and to last half an hour must therefore begin in the past, as one that was
    charged offline does: no central system believes times of the future.
    """

    def __init__(self, at: datetime, speed: float) -> None:
        self.at, self.speed = at, speed

    async def go(self, seconds: float, stop: asyncio.Event) -> float:
        """Let time pass, at most until `stop`; return how many of the session's seconds have passed."""
        loop = asyncio.get_running_loop()
        ahead_s = (self.at - now()).total_seconds() + seconds
        wait_s = max(seconds / self.speed, ahead_s)
        began = loop.time()
        try:
            async with asyncio.timeout(wait_s):
                await stop.wait()
            passed_s = seconds * min(1.0, (loop.time() - began) / wait_s)
        except TimeoutError:
            passed_s = seconds
        self.at += timedelta(seconds=passed_s)
        return passed_s
