"""Redis commands that many connections submit at once take few round trips, and one connection."""

import asyncio
from collections.abc import Sequence

from django_redis import get_redis_connection

from evcharging import redis_breaker
from evcharging.gateway.redis_state.answers import Answers
from evcharging.gateway.redis_state.batching import MAX_BATCH, Batcher, RedisCommand
from evcharging.gateway.redis_state.client import OptionalRedis
from evcharging.gateway.redis_state.presence import Presence
from stations.selectors import presence_key

STATIONS = range(900_000, 901_200)


def command(name: str) -> RedisCommand:
    return RedisCommand(name, ())


async def test_commands_submitted_during_a_round_trip_go_out_in_the_next():
    batches: list[int] = []

    async def execute(commands: Sequence[RedisCommand]) -> list[int]:
        batches.append(len(commands))
        await asyncio.sleep(0.01)
        return [int(each.key) * 2 for each in commands]

    batcher = Batcher(execute)
    numbers = range(MAX_BATCH + 20)
    results = await asyncio.gather(*(batcher.submit(command(str(number))) for number in numbers))
    assert results == [number * 2 for number in numbers]
    assert batches == [MAX_BATCH, 20]


async def test_batch_that_fails_reads_as_nothing_and_the_next_goes_on():
    async def execute(commands: Sequence[RedisCommand]) -> Sequence[str]:
        keys = [each.key for each in commands]
        if "bad" in keys:
            raise RuntimeError
        return keys

    batcher = Batcher(execute)
    assert await asyncio.gather(batcher.submit(command("good")), batcher.submit(command("bad"))) == [None, None]
    assert await batcher.submit(command("good")) == "good"


async def test_fleet_that_connects_at_once_gets_its_leases_over_one_connection():
    redis = OptionalRedis()
    presence = Presence(redis)
    await asyncio.gather(*(presence.claim({station_id: 7}) for station_id in STATIONS))
    held = get_redis_connection("default").mget([presence_key(station_id) for station_id in STATIONS])
    assert held == [b"7"] * len(STATIONS)
    assert not redis.is_paused
    assert len(redis.client.connection_pool._available_connections) == 1
    await presence.claim({STATIONS[0]: 6})
    await presence.release(STATIONS[0], 6)
    assert get_redis_connection("default").get(presence_key(STATIONS[0])) == b"7"
    await asyncio.gather(*(presence.release(station_id, 7) for station_id in STATIONS))
    assert (
        get_redis_connection("default").mget([presence_key(station_id) for station_id in STATIONS[:9]]) == [None] * 9
    )
    await redis.close()


async def test_answers_are_kept_found_and_forgotten_in_the_order_of_submission():
    redis = OptionalRedis()
    answers = Answers(redis)
    answers.keep(900_001, "frame", "first")
    assert await answers.find(900_001, "frame") == "first"
    answers.forget([900_001])
    answers.keep(900_001, "other", "second")
    assert await asyncio.gather(answers.find(900_001, "frame"), answers.find(900_001, "other")) == [None, "second"]
    answers.forget([900_001])
    await answers.close()
    await redis.close()


async def test_redis_that_failed_is_not_asked_for_a_while(monkeypatch):
    redis = OptionalRedis()
    monkeypatch.setattr(redis_breaker, "OPEN_S", 0.2)

    async def fail() -> str:
        raise TimeoutError

    assert not redis.is_paused
    assert await redis.attempt(fail(), "default") == "default"
    assert redis.is_paused
    answers = Answers(redis)
    answers.keep(900_002, "frame", "answer")
    assert await answers.find(900_002, "frame") is None
    await answers.close()
    await asyncio.sleep(0.25)
    assert not redis.is_paused
    assert await answers.find(900_002, "frame") is None  # it was not stored during the pause
    answers.keep(900_002, "frame", "answer")
    assert await answers.find(900_002, "frame") == "answer"
    answers.forget([900_002])
    await answers.close()
    await redis.close()
