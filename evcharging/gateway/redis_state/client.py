"""The gateway's Redis client: short time-outs and a circuit breaker, an unavailable Redis delays no charger."""

import logging
from collections.abc import Awaitable
from typing import TypeVar

import redis.asyncio
from django.conf import settings

from evcharging.redis_breaker import REDIS_ERRORS, RedisBreaker

logger = logging.getLogger(__name__)
R = TypeVar("R")

TIMEOUT_S = 0.5


class OptionalRedis:
    """A Redis client whose failures read as "not there"."""

    def __init__(self) -> None:
        self.client = redis.asyncio.from_url(
            settings.REDIS_URL, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        )
        self._breaker = RedisBreaker()

    @property
    def is_paused(self) -> bool:
        """Whether Redis failed within the last seconds and is not to be asked."""
        return self._breaker.is_open

    async def attempt(self, operation: Awaitable[R], default: R) -> R:
        """Await a Redis operation; if it fails, return `default` and send nothing for `redis_breaker.OPEN_S`."""
        try:
            return await operation
        except REDIS_ERRORS as error:
            self._breaker.trip()
            logger.warning("Redis is unavailable: %s", error)
            return default

    async def close(self) -> None:
        await self.client.aclose()
