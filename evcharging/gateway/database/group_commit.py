"""Many messages, one database transaction, answers after its commit.

While one transaction runs, what arrives collects; the next one takes it all. There is no timer: an idle lane commits a
single message at once, a busy one commits hundreds together.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

from evcharging.gateway.database.deadlines import Patience
from evcharging.gateway.database.thread_pool import FIRST_RETRY_S, LAST_RETRY_S, DatabaseAway, in_thread

logger = logging.getLogger(__name__)
Item = TypeVar("Item")
Result = TypeVar("Result")


class Waiting(NamedTuple, Generic[Item, Result]):
    item: Item
    weight: int
    future: "asyncio.Future[Result]"
    since: float


class Lane(Generic[Item, Result]):
    """A queue into one service that stores a batch and says of each item what became of it.

    A batch is bounded, by items and by weight (rows). The queue is by the number of connections: the next frame of a
    socket is read once the one before is answered.
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
        self._waiting: deque[Waiting[Item, Result]] = deque()
        self._running: list[Waiting[Item, Result]] = []
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._patience = Patience()

    async def submit(self, item: Item, weight: int = 1) -> Result:
        """Store an item with whatever else is waiting; return what the service says of it, after the commit.

        :raises DatabaseAway: patience is over; whether it was stored is unknown.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        since = loop.time()
        self._waiting.append(Waiting(item, weight, future, since))
        if self._task is None:
            self._task = loop.create_task(self._work())
        if self._timer is None:
            self._timer = loop.call_at(self._patience.deadline(since), self._on_deadline)
        return await future

    def _on_deadline(self) -> None:
        """Give up those who have waited for too long, in a batch that hangs and in the queue behind it.

        One timer for all, set to the earliest deadline when it fires: most messages are long answered by theirs.
        """
        loop = asyncio.get_running_loop()
        self._timer = None
        gone = DatabaseAway("no answer in time")
        running = self._expire(self._running, loop.time(), gone)
        self._waiting = deque(self._expire(self._waiting, loop.time(), gone))
        if running or self._waiting:
            earliest = min(self._patience.deadline(entry.since) for entry in (*running, *self._waiting))
            self._timer = loop.call_at(earliest, self._on_deadline)

    async def _work(self) -> None:
        try:
            while self._waiting:
                self._running = self._take()
                await self._commit(self._running)
        finally:
            self._running = []
            self._task = None

    def _take(self) -> list[Waiting[Item, Result]]:
        batch: list[Waiting[Item, Result]] = []
        weight = 0
        while self._waiting and len(batch) < self._max_batch and weight < self._max_batch_weight:
            waiting = self._waiting.popleft()
            weight += waiting.weight
            batch.append(waiting)
        return batch

    async def _commit(self, batch: list[Waiting[Item, Result]]) -> None:
        delay_s = FIRST_RETRY_S
        loop = asyncio.get_running_loop()
        while batch:
            try:
                # A database that hangs must not hold its charger longer than one that is down.
                async with asyncio.timeout_at(max(self._patience.deadline(entry.since) for entry in batch)):
                    stored = await in_thread(self._store, [entry.item for entry in batch])
            except (DatabaseAway, TimeoutError) as error:
                batch = self._expire(batch, loop.time(), error)
                if batch:
                    await asyncio.sleep(delay_s)
                    delay_s = min(delay_s * 2, LAST_RETRY_S)
            except Exception as error:
                await self._commit_one_by_one(batch, error)
                return
            else:
                self._patience.get_on(loop.time())
                for entry, result in zip(batch, stored, strict=True):
                    if not entry.future.done():
                        entry.future.set_result(result)
                return

    async def _commit_one_by_one(self, batch: list[Waiting[Item, Result]], error: Exception) -> None:
        """One bad message must cost one message: the others of its batch are stored without it."""
        if len(batch) == 1:
            if not batch[0].future.done():
                batch[0].future.set_exception(error)
            return
        logger.warning("a batch of %s failed and is stored one by one: %s", len(batch), error)
        for entry in batch:
            await self._commit([entry])

    def _expire(
        self, entries: Iterable[Waiting[Item, Result]], now: float, error: Exception
    ) -> list[Waiting[Item, Result]]:
        """Give up those whose time is over; return those who still wait."""
        alive = []
        for entry in entries:
            if entry.future.done():
                continue
            if now >= self._patience.deadline(entry.since):
                entry.future.set_exception(DatabaseAway(str(error)))
            else:
                alive.append(entry)
        return alive
