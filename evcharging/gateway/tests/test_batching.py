"""What many connections want of Redis at once takes few round trips, and one connection."""

import asyncio
from collections.abc import Sequence

from django_redis import get_redis_connection

from evcharging.gateway.redis_state.answers import Answers
from evcharging.gateway.redis_state.batching import MAX_BATCH, Collector
from evcharging.gateway.redis_state.client import OptionalRedis
from evcharging.gateway.redis_state.presence import Presence
from stations.selectors import presence_key

STATIONS = range(900_000, 901_200)


async def test_wishes_collect_while_a_round_trip_runs():
    batches: list[int] = []

    async def execute(wishes: Sequence[int]) -> list[int]:
        batches.append(len(wishes))
        await asyncio.sleep(0.01)
        return [wish * 2 for wish in wishes]

    collector = Collector(execute)
    found = await asyncio.gather(*(collector.ask(number) for number in range(MAX_BATCH + 20)))
    assert found == [number * 2 for number in range(MAX_BATCH + 20)]
    assert batches == [MAX_BATCH, 20]


async def test_failure_reads_as_nothing_and_the_next_goes_on():
    async def execute(wishes: Sequence[str]) -> Sequence[str]:
        if "bad" in wishes:
            raise RuntimeError
        return wishes

    collector = Collector(execute)
    assert await asyncio.gather(collector.ask("good"), collector.ask("bad")) == [None, None]
    assert await collector.ask("good") == "good"


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


async def test_answers_are_kept_found_and_forgotten_in_the_order_of_asking():
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
