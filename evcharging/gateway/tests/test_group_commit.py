"""Lanes: which items share a transaction, and how long an item waits."""

import asyncio
import threading
import time
from collections.abc import Sequence

import pytest
from django.conf import LazySettings

from evcharging.gateway.database.group_commit import Lane
from evcharging.gateway.database.sessions import DatabaseAway, RowLocked
from evcharging.gateway.database.thread_pool import close_pool


async def test_what_arrives_while_a_batch_is_stored_is_the_next_batch():
    batches: list[list[int]] = []
    release = threading.Event()

    def store(items: Sequence[int]) -> list[int]:
        batches.append(list(items))
        assert release.wait(5)
        return [item * 10 for item in items]

    lane: Lane[int, int] = Lane(store, max_batch=3)
    asked = [asyncio.create_task(lane.submit(1))]
    while not batches:
        await asyncio.sleep(0.01)
    asked += [asyncio.create_task(lane.submit(number)) for number in range(2, 7)]
    await asyncio.sleep(0.05)
    release.set()
    assert await asyncio.gather(*asked) == [10, 20, 30, 40, 50, 60]
    assert batches == [[1], [2, 3, 4], [5, 6]]


async def test_every_item_expires_at_its_deadline_in_a_batch_that_hangs_and_behind_it(settings: LazySettings):
    settings.DB_HOLD_S = 0.3
    release = threading.Event()

    def store(items: Sequence[int]) -> Sequence[int]:
        release.wait(5)
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
    release.set()
    assert all(0.29 <= each < 0.6 for each in times), times


async def test_deadline_moves_while_batches_commit(settings: LazySettings):
    settings.DB_HOLD_S = 0.3

    def store(items: Sequence[int]) -> Sequence[int]:
        time.sleep(0.1)
        return items

    lane: Lane[int, int] = Lane(store, max_batch=1)
    # The last item is stored after three times DB_HOLD_S.
    assert await asyncio.gather(*(lane.submit(number) for number in range(9))) == list(range(9))


async def test_deadline_is_four_holds_at_most_whatever_commits(settings: LazySettings):
    settings.DB_HOLD_S = 0.2

    def store(items: Sequence[int]) -> Sequence[int]:
        time.sleep(0.1)
        return items

    lane: Lane[int, int] = Lane(store, max_batch=1)
    results = await asyncio.gather(*(lane.submit(number) for number in range(20)), return_exceptions=True)
    assert results[:6] == list(range(6))
    assert {type(each) for each in results[9:]} == {DatabaseAway}


async def test_bad_item_fails_alone():
    def store(items: Sequence[int]) -> Sequence[int]:
        if 3 in items:
            raise ValueError("three")
        return items

    lane: Lane[int, int] = Lane(store)
    results = await asyncio.gather(*(lane.submit(number) for number in range(5)), return_exceptions=True)
    assert [str(each) for each in results] == ["0", "1", "2", "three", "4"]


async def test_lane_works_after_its_timer_has_fired(settings: LazySettings):
    settings.DB_HOLD_S = 0.1
    lane: Lane[int, int] = Lane(lambda items: items)
    for number in range(3):
        assert await lane.submit(number) == number
        await asyncio.sleep(0.12)


async def submit_all(lane: Lane[int, int], items: Sequence[int]) -> list[asyncio.Task[int]]:
    """Submit items that are stored as one batch."""
    asked = [asyncio.create_task(lane.submit(item)) for item in items]
    await asyncio.sleep(0)
    return asked


@pytest.mark.django_db(transaction=True)
async def test_item_that_needs_a_locked_row_is_left_behind_and_stored_once_the_row_is_free():
    locked = {7, 60}
    batches: list[list[int]] = []

    def store(items: Sequence[int]) -> list[int]:
        batches.append(list(items))
        if locked & set(items):
            raise RowLocked("canceling statement due to lock timeout")
        return [item * 10 for item in items]

    lane: Lane[int, int] = Lane(store)
    asked = await submit_all(lane, range(100))
    _, waiting = await asyncio.wait(asked, timeout=1)
    assert len(waiting) == 2
    assert asked[7] in waiting
    assert asked[60] in waiting
    # The parts without one were stored together.
    assert list(range(25, 50)) in batches
    # The lane goes on.
    assert await lane.submit(200) == 2000
    locked.clear()
    assert await asyncio.gather(*asked) == [item * 10 for item in range(100)]
    close_pool()


@pytest.mark.django_db(transaction=True)
async def test_item_whose_row_stays_locked_expires_at_its_deadline(settings: LazySettings):
    settings.DB_HOLD_S = 0.5

    def store(items: Sequence[int]) -> Sequence[int]:
        if 1 in items:
            raise RowLocked("canceling statement due to lock timeout")
        return items

    lane: Lane[int, int] = Lane(store)
    asked = await submit_all(lane, range(3))
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert (results[0], results[2]) == (0, 2)
    assert isinstance(results[1], DatabaseAway)
    close_pool()
