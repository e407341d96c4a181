"""Answers already given, kept in Redis for 15 minutes: they shorten the way to an answer and decide nothing.

PostgreSQL finds a repeated message by its content whatever Redis says. A station's answers are forgotten when one of
its transactions ends, because from then on the same words may mean a new one.
"""

import asyncio
import hashlib
import logging
from collections.abc import Iterable, Sequence
from typing import Any

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
    """Answers by station and frame. While one round trip to Redis runs, what is asked for collects; the next takes it
    all, in the order in which it was asked."""

    def __init__(self, redis: OptionalRedis) -> None:
        self._redis = redis
        self._waiting: list[tuple[tuple[Any, ...], asyncio.Future[Any] | None]] = []
        self._task: asyncio.Task[None] | None = None

    async def find(self, station_id: int, text: str) -> str | None:
        """Return the answer that this very frame was given, None where it is not known (or Redis is away)."""
        if self._redis.is_paused:
            return None
        found: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._ask("HGET", answers_key(station_id), frame_hash(text), future=found)
        answer = await found
        return answer.decode() if isinstance(answer, bytes) else None

    def keep(self, station_id: int, text: str, answer: str) -> None:
        """Keep the answer to a frame, soon."""
        key = answers_key(station_id)
        self._ask("HSET", key, frame_hash(text), answer)
        self._ask("EXPIRE", key, KEEP_S)

    def forget(self, station_ids: Iterable[int]) -> None:
        """Forget all answers of some stations, before anything that is asked for later."""
        self._ask("DEL", *map(answers_key, station_ids))

    async def close(self) -> None:
        """Wait until all is done that was asked for."""
        if self._task is not None:
            await self._task

    def _ask(self, *command: Any, future: "asyncio.Future[Any] | None" = None) -> None:
        self._waiting.append((command, future))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                try:
                    results = await self._execute([command for command, _ in batch])
                except Exception:  # nobody may wait for ever for what can be done without
                    logger.exception("answers cannot be looked up")
                    results = [None] * len(batch)
                for (_, future), result in zip(batch, results, strict=True):
                    if future is not None and not future.done():
                        future.set_result(result)
        finally:
            self._task = None

    async def _execute(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        nothing = [None] * len(commands)
        if self._redis.is_paused:
            return nothing
        pipeline = self._redis.client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        return await self._redis.attempt(pipeline.execute(raise_on_error=False), nothing)


def forget_answers(station_ids: Iterable[int]) -> None:
    """Forget all answers of some stations; from a thread of a process without a gateway."""
    try:
        get_redis_connection("default").delete(*map(answers_key, station_ids))
    except (RedisError, OSError) as error:
        logger.warning("redis is away: %s", error)
