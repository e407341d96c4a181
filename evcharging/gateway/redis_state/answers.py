"""Answers already sent, cached in Redis for 15 minutes: they save the way through PostgreSQL and decide nothing.

PostgreSQL recognises a repeated message by its content whatever Redis says. A station's answers are removed when one
of its transactions ends, because from then on the same frame may mean a new transaction.
"""

import asyncio
import hashlib
import logging
from collections.abc import Iterable, Sequence
from typing import Any

from django_redis import get_redis_connection

from evcharging.gateway.redis_state.batching import Batcher, RedisCommand
from evcharging.gateway.redis_state.client import OptionalRedis
from evcharging.redis_breaker import REDIS_ERRORS

logger = logging.getLogger(__name__)

KEEP_S = 15 * 60


def answers_key(station_id: int) -> str:
    return f"answers:{station_id}"


def frame_hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


# One EVALSHA per batch: a command costs the client more CPU than it costs Redis.
_SCRIPT = """
    local found = {}
    for i, key in ipairs(KEYS) do
        local operation, frame, answer = ARGV[3 * i - 2], ARGV[3 * i - 1], ARGV[3 * i]
        found[i] = false
        if operation == 'find' then
            found[i] = redis.call('HGET', key, frame)
        elseif operation == 'keep' then
            redis.call('HSET', key, frame, answer)
            redis.call('EXPIRE', key, KEEP_S)
        else
            redis.call('DEL', key)
        end
    end
    return found
"""


class Answers:
    """Answers by station and frame."""

    def __init__(self, redis: OptionalRedis) -> None:
        self._redis = redis
        self._script = redis.client.register_script(_SCRIPT.replace("KEEP_S", str(KEEP_S)))
        self._batcher = Batcher(self._execute)

    async def find(self, station_id: int, text: str) -> str | None:
        """Return the answer to this very frame; None if there is none, or Redis is unavailable."""
        if self._redis.is_paused:
            return None
        answer = await self._submit(station_id, "find", frame_hash(text))
        return answer.decode() if isinstance(answer, bytes) else None

    def keep(self, station_id: int, text: str, answer: str) -> None:
        """Store the answer to a frame, without waiting for it."""
        self._submit(station_id, "keep", frame_hash(text), answer)

    def forget(self, station_ids: Iterable[int]) -> None:
        """Remove all answers of these stations, without waiting; what is submitted later runs after it."""
        for station_id in station_ids:
            self._submit(station_id, "forget")

    async def close(self) -> None:
        """Wait until every submitted command has run."""
        await self._batcher.close()

    def _submit(self, station_id: int, operation: str, frame: bytes = b"", answer: str = "") -> "asyncio.Future[Any]":
        return self._batcher.submit(RedisCommand(answers_key(station_id), (operation, frame, answer)))

    async def _execute(self, batch: Sequence[RedisCommand]) -> Sequence[Any]:
        nothing = [None] * len(batch)
        if self._redis.is_paused:
            return nothing
        arguments = [argument for command in batch for argument in command.arguments]
        return await self._redis.attempt(self._script([command.key for command in batch], arguments), nothing)


def forget_answers(station_ids: Iterable[int]) -> None:
    """Remove all answers of these stations; for threads of processes without a gateway."""
    try:
        get_redis_connection("default").delete(*map(answers_key, station_ids))
    except REDIS_ERRORS as error:
        logger.warning("Redis is unavailable: %s", error)
