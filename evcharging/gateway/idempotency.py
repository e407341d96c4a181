"""Answers already given, kept in Redis for 15 minutes: they shorten the way to an answer and decide nothing.

PostgreSQL finds a repeated message by its content whatever Redis says. A station's answers are forgotten when one of
its transactions ends, because from then on the same words may mean a new one.
"""

import hashlib
import logging

from django_redis import get_redis_connection
from redis.exceptions import RedisError

from evcharging.gateway.redis_client import OptionalRedis

logger = logging.getLogger(__name__)

KEEP_S = 15 * 60


def answers_key(station_id: int) -> str:
    return f"answers:{station_id}"


def frame_hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Answers:
    """Answers by station and frame."""

    def __init__(self, redis: OptionalRedis) -> None:
        self._redis = redis

    async def find(self, station_id: int, text: str) -> str | None:
        """Return the answer that this very frame was given, None where it is not known (or Redis is away)."""
        if self._redis.is_paused:
            return None
        operation = self._redis.client.hget(answers_key(station_id), frame_hash(text))  # type: ignore[arg-type]
        found = await self._redis.attempt(operation, None)  # type: ignore[arg-type]
        return found.decode() if isinstance(found, bytes) else None

    async def keep(self, station_id: int, text: str, answer: str) -> None:
        """Keep the answer to a frame."""
        if self._redis.is_paused:
            return
        key = answers_key(station_id)
        pipeline = self._redis.client.pipeline(transaction=False)
        pipeline.hset(key, frame_hash(text), answer)  # type: ignore[arg-type]
        pipeline.expire(key, KEEP_S)
        await self._redis.attempt(pipeline.execute(), None)  # type: ignore[arg-type]


def forget_answers(station_id: int) -> None:
    """Forget a station's answers; from a thread."""
    try:
        get_redis_connection("default").delete(answers_key(station_id))
    except (RedisError, OSError) as error:
        logger.warning("redis is away: %s", error)
