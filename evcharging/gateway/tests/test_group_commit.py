"""Lanes: what collects while a batch is stored, and how long anybody waits."""

import asyncio
import threading
import time
from collections.abc import Sequence

import pytest
from django.conf import LazySettings

from evcharging.gateway.database.group_commit import Lane
from evcharging.gateway.database.thread_pool import DatabaseAway


async def test_what_arrives_while_a_batch_is_stored_is_the_next_batch():
    batches: list[list[int]] = []
    go_on = threading.Event()

    def store(items: Sequence[int]) -> list[int]:
        batches.append(list(items))
        assert go_on.wait(5)
        return [item * 10 for item in items]

    lane: Lane[int, int] = Lane(store, max_batch=3)
    asked = [asyncio.create_task(lane.submit(1))]
    while not batches:
        await asyncio.sleep(0.01)
    asked += [asyncio.create_task(lane.submit(number)) for number in range(2, 7)]
    await asyncio.sleep(0.05)
    go_on.set()
    assert await asyncio.gather(*asked) == [10, 20, 30, 40, 50, 60]
    assert batches == [[1], [2, 3, 4], [5, 6]]


async def test_each_waits_as_long_as_told_in_a_batch_that_hangs_and_behind_it(settings: LazySettings):
    settings.DB_HOLD_S = 0.3
    go_on = threading.Event()

    def store(items: Sequence[int]) -> Sequence[int]:
        go_on.wait(5)
        return items

    async def waited(item: int) -> float:
        began = asyncio.get_running_loop().time()
        with pytest.raises(DatabaseAway):
            await lane.submit(item)
        return asyncio.get_running_loop().time() - began

    lane: Lane[int, int] = Lane(store, max_batch=1)
    asked = []
    for number in range(5):  # one is stored, four wait
        asked.append(asyncio.create_task(waited(number)))
        await asyncio.sleep(0.05)
    times = await asyncio.gather(*asked)
    go_on.set()
    assert all(0.29 <= each < 0.6 for each in times), times


async def test_who_waits_is_patient_while_others_get_on(settings: LazySettings):
    settings.DB_HOLD_S = 0.3

    def store(items: Sequence[int]) -> Sequence[int]:
        time.sleep(0.1)
        return items

    lane: Lane[int, int] = Lane(store, max_batch=1)
    # The last one's turn comes after three times DB_HOLD_S.
    assert await asyncio.gather(*(lane.submit(number) for number in range(9))) == list(range(9))


async def test_patience_ends_after_four_times_whatever_goes_on(settings: LazySettings):
    settings.DB_HOLD_S = 0.2

    def store(items: Sequence[int]) -> Sequence[int]:
        time.sleep(0.1)
        return items

    lane: Lane[int, int] = Lane(store, max_batch=1)
    results = await asyncio.gather(*(lane.submit(number) for number in range(20)), return_exceptions=True)
    assert results[:6] == list(range(6))
    assert {type(each) for each in results[9:]} == {DatabaseAway}


async def test_one_bad_item_costs_itself():
    def store(items: Sequence[int]) -> Sequence[int]:
        if 3 in items:
            raise ValueError("three")
        return items

    lane: Lane[int, int] = Lane(store)
    results = await asyncio.gather(*(lane.submit(number) for number in range(5)), return_exceptions=True)
    assert [str(each) for each in results] == ["0", "1", "2", "three", "4"]


async def test_lane_goes_on_after_deadlines_passed(settings: LazySettings):
    settings.DB_HOLD_S = 0.1
    lane: Lane[int, int] = Lane(lambda items: items)
    for number in range(3):
        assert await lane.submit(number) == number
        await asyncio.sleep(0.12)
