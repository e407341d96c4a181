"""Answers already given, kept in Redis for 15 minutes: they shorten the way to an answer and decide nothing.

PostgreSQL finds a repeated message by its content whatever Redis says. A station's answers are forgotten when one of
its transactions ends, because from then on the same words may mean a new one.
"""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from django_redis import get_redis_connection
from redis.exceptions import RedisError

from evcharging.gateway.redis_state.batching import Collector
from evcharging.gateway.redis_state.client import OptionalRedis

logger = logging.getLogger(__name__)

KEEP_S = 15 * 60


def answers_key(station_id: int) -> str:
    return f"answers:{station_id}"


def frame_hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


# One command for all that is asked for at a moment: the client's work for a command costs more than Redis's own.
_SCRIPT = """
    local found = {}
    for i, key in ipairs(KEYS) do
        local what, frame, answer = ARGV[3 * i - 2], ARGV[3 * i - 1], ARGV[3 * i]
        found[i] = false
        if what == 'find' then
            found[i] = redis.call('HGET', key, frame)
        elseif what == 'keep' then
            redis.call('HSET', key, frame, answer)
            redis.call('EXPIRE', key, KEEP_S)
        else
            redis.call('DEL', key)
        end
    end
    return found
"""


class _Wish(NamedTuple):
    key: str
    what: str
    frame: bytes = b""
    answer: str = ""


class Answers:
    """Answers by station and frame."""

    def __init__(self, redis: OptionalRedis) -> None:
        self._redis = redis
        self._script = redis.client.register_script(_SCRIPT.replace("KEEP_S", str(KEEP_S)))
        self._wishes = Collector(self._execute)

    async def find(self, station_id: int, text: str) -> str | None:
        """Return the answer that this very frame was given, None where it is not known (or Redis is away)."""
        if self._redis.is_paused:
            return None
        answer = await self._wishes.ask(_Wish(answers_key(station_id), "find", frame_hash(text)))
        return answer.decode() if isinstance(answer, bytes) else None

    def keep(self, station_id: int, text: str, answer: str) -> None:
        """Keep the answer to a frame, soon."""
        self._wishes.ask(_Wish(answers_key(station_id), "keep", frame_hash(text), answer))

    def forget(self, station_ids: Iterable[int]) -> None:
        """Forget all answers of some stations, before anything that is asked for later."""
        for station_id in station_ids:
            self._wishes.ask(_Wish(answers_key(station_id), "forget"))

    async def close(self) -> None:
        """Wait until all is done that was asked for."""
        await self._wishes.close()

    async def _execute(self, batch: Sequence[_Wish]) -> Sequence[Any]:
        nothing = [None] * len(batch)
        if self._redis.is_paused:
            return nothing
        arguments = [argument for wish in batch for argument in wish[1:]]
        return await self._redis.attempt(self._script([wish.key for wish in batch], arguments), nothing)


def forget_answers(station_ids: Iterable[int]) -> None:
    """Forget all answers of some stations; from a thread of a process without a gateway."""
    try:
        get_redis_connection("default").delete(*map(answers_key, station_ids))
    except (RedisError, OSError) as error:
        logger.warning("redis is away: %s", error)
