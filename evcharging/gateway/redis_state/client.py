"""The gateway's Redis connection: quick to give up, so that a Redis that is away costs chargers nothing."""

import logging
import time
from collections.abc import Awaitable
from typing import TypeVar

import redis.asyncio
from django.conf import settings
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)
R = TypeVar("R")

TIMEOUT_S = 0.5
PAUSE_S = 2.0
"""After a failure nothing is asked for this long: a Redis that hangs costs one time-out per pause, not per message."""


class OptionalRedis:
    """A Redis client whose every failure reads as "not there"."""

    def __init__(self) -> None:
        self.client = redis.asyncio.from_url(
            settings.REDIS_URL, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        )
        self._paused_until = 0.0

    @property
    def is_paused(self) -> bool:
        return time.monotonic() < self._paused_until

    async def attempt(self, operation: Awaitable[R], default: R) -> R:
        """Await a Redis operation; on failure return `default` and leave Redis alone for a while."""
        try:
            return await operation
        except (RedisError, OSError, TimeoutError) as error:
            self._paused_until = time.monotonic() + PAUSE_S
            logger.warning("redis is away: %s", error)
            return default

    async def close(self) -> None:
        await self.client.aclose()
