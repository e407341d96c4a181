"""Group commit: many messages share one database transaction, and are answered after its commit.

What arrives during one transaction is the batch of the next. There is no timer: an idle lane commits a single message
at once, a busy one commits hundreds together.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

from evcharging.gateway.database.deadlines import Deadline
from evcharging.gateway.database.sessions import DatabaseAway, RowLocked
from evcharging.gateway.database.thread_pool import (
    FIRST_RETRY_S,
    LAST_RETRY_S,
    in_thread,
    in_thread_unless_locked,
)

logger = logging.getLogger(__name__)
PART = 25
"""Items that are stored together while those that need a locked row are told from the others."""
Item = TypeVar("Item")
Result = TypeVar("Result")


class Entry(NamedTuple, Generic[Item, Result]):
    item: Item
    weight: int
    future: "asyncio.Future[Result]"
    arrived_at: float


class Lane(Generic[Item, Result]):
    """A queue into one service that stores a batch and returns a result for each of its items.

    A batch is bounded by items and by weight (rows). The queue is bounded by the number of connections: the next frame
    of a socket is read after the answer to the one before.
    """

    def __init__(
        self,
        store: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        max_batch: int = 500,
        max_batch_weight: int = 20_000,
    ) -> None:
        self._store = store
        self._max_batch, self._max_batch_weight = max_batch, max_batch_weight
        self._queue: deque[Entry[Item, Result]] = deque()
        self._running: list[Entry[Item, Result]] = []
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = Deadline()
        self._left_behind: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Semaphore(1)

    async def submit(self, item: Item, weight: int = 1) -> Result:
        """Queue an item; return the service's result for it after the commit.

        :raises DatabaseAway: the deadline passed; whether it was stored is unknown.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        arrived_at = loop.time()
        self._queue.append(Entry(item, weight, future, arrived_at))
        if self._task is None:
            self._task = loop.create_task(self._run())
        if self._timer is None:
            self._timer = loop.call_at(self._deadline.expires_at(arrived_at), self._on_deadline)
        return await future

    def _on_deadline(self) -> None:
        """Fail the entries whose deadline has passed, in a batch that hangs and in the queue behind it.

        One timer for all, set to the earliest deadline whenever it fires: most entries are answered before theirs.
        """
        loop = asyncio.get_running_loop()
        self._timer = None
        error = DatabaseAway("no answer in time")
        running = self._expire(self._running, loop.time(), error)
        self._queue = deque(self._expire(self._queue, loop.time(), error))
        if running or self._queue:
            earliest = min(self._deadline.expires_at(entry.arrived_at) for entry in (*running, *self._queue))
            self._timer = loop.call_at(earliest, self._on_deadline)

    async def _run(self) -> None:
        try:
            while self._queue:
                self._running = self._next_batch()
                await self._commit(self._running)
        finally:
            self._running = []
            self._task = None

    def _next_batch(self) -> list[Entry[Item, Result]]:
        batch: list[Entry[Item, Result]] = []
        weight = 0
        while self._queue and len(batch) < self._max_batch and weight < self._max_batch_weight:
            entry = self._queue.popleft()
            weight += entry.weight
            batch.append(entry)
        return batch

    async def _commit(self, batch: list[Entry[Item, Result]]) -> None:
        delay_s = FIRST_RETRY_S
        loop = asyncio.get_running_loop()
        while batch:
            try:
                # A database that hangs must not hold its charger longer than one that refuses connections.
                async with asyncio.timeout_at(max(self._deadline.expires_at(entry.arrived_at) for entry in batch)):
                    stored = await in_thread(self._store, [entry.item for entry in batch])
            except RowLocked as error:
                await self._commit_what_is_free(batch, error)
                return
            except (DatabaseAway, TimeoutError) as error:
                batch = self._expire(batch, loop.time(), error)
                if batch:
                    await asyncio.sleep(delay_s)
                    delay_s = min(delay_s * 2, LAST_RETRY_S)
            except Exception as error:
                await self._commit_one_by_one(batch, error)
                return
            else:
                self._finish(batch, stored)
                return

    async def _commit_what_is_free(self, batch: list[Entry[Item, Result]], error: RowLocked) -> None:
        """Store all that needs no locked row: in parts, then the items of a part that needs one by themselves.

        What needs one is left behind, so that one locked row costs its own station alone.
        """
        logger.warning("A row that a batch of %s needs is locked: %s", len(batch), error)
        for start in range(0, len(batch), PART):
            part = batch[start : start + PART]
            for entries in [part] if await self._is_stored(part) else [[entry] for entry in part]:
                if entries is not part and not await self._is_stored(entries):
                    self._leave_behind(entries[0])

    async def _is_stored(self, entries: list[Entry[Item, Result]]) -> bool:
        """Store a few entries unless one of them needs a locked row."""
        alive = [entry for entry in entries if not entry.future.done()]
        if not alive:
            return True
        try:
            stored = await in_thread_unless_locked(self._store, [entry.item for entry in alive])
        except RowLocked:
            return False
        except DatabaseAway:
            await self._commit(alive)
            return True
        except Exception as error:
            await self._commit_one_by_one(alive, error)
            return True
        self._finish(alive, stored)
        return True

    def _leave_behind(self, entry: Entry[Item, Result]) -> None:
        task = asyncio.get_running_loop().create_task(self._commit_later(entry))
        self._left_behind.add(task)
        task.add_done_callback(self._left_behind.discard)

    async def _commit_later(self, entry: Entry[Item, Result]) -> None:
        """Store an item that needs a locked row, with growing pauses, one such item of the lane at a time."""
        loop = asyncio.get_running_loop()
        delay_s = FIRST_RETRY_S
        while not entry.future.done():
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, LAST_RETRY_S)
            async with self._one_at_a_time:
                if await self._is_stored([entry]):
                    return
            self._expire([entry], loop.time(), DatabaseAway("a row it needs stayed locked"))

    def _finish(self, entries: Sequence[Entry[Item, Result]], stored: Sequence[Result]) -> None:
        self._deadline.extend(asyncio.get_running_loop().time())
        for entry, result in zip(entries, stored, strict=True):
            if not entry.future.done():
                entry.future.set_result(result)

    async def _commit_one_by_one(self, batch: list[Entry[Item, Result]], error: Exception) -> None:
        """Store each item in a transaction of its own: one bad message must not cost the others of its batch."""
        if len(batch) == 1:
            if not batch[0].future.done():
                batch[0].future.set_exception(error)
            return
        logger.warning("A batch of %s failed and is stored one by one: %s", len(batch), error)
        for entry in batch:
            await self._commit([entry])

    def _expire(
        self, entries: Iterable[Entry[Item, Result]], now: float, error: Exception
    ) -> list[Entry[Item, Result]]:
        """Fail the entries whose deadline has passed; return those that still wait."""
        alive = []
        for entry in entries:
            if entry.future.done():
                continue
            if now >= self._deadline.expires_at(entry.arrived_at):
                entry.future.set_exception(DatabaseAway(str(error)))
            else:
                alive.append(entry)
        return alive
