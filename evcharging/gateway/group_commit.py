"""Many messages, one database transaction, answers after its commit.

While one transaction runs, what arrives collects; the next one takes it all. There is no timer: an idle lane commits a
single message at once, a busy one commits hundreds together.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from django.conf import settings

from evcharging.gateway import domain
from evcharging.gateway.domain import DatabaseAway

logger = logging.getLogger(__name__)
Item = TypeVar("Item")
Result = TypeVar("Result")


class Waiting(NamedTuple, Generic[Item, Result]):
    item: Item
    weight: int
    future: "asyncio.Future[Result]"
    deadline: float


class Lane(Generic[Item, Result]):
    """A queue into one service that stores a batch and says of each item what became of it.

    Both the queue and a batch are bounded, by items and by weight (rows); a full queue makes `submit` wait, and with
    it the reading of that charger's socket.
    """

    def __init__(
        self,
        store: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        max_batch: int = 500,
        max_batch_weight: int = 20_000,
        max_waiting: int = 5_000,
    ) -> None:
        self._store = store
        self._max_batch, self._max_batch_weight, self._max_waiting = max_batch, max_batch_weight, max_waiting
        self._waiting: deque[Waiting[Item, Result]] = deque()
        self._room = asyncio.Event()
        self._running: list[Waiting[Item, Result]] = []
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._hold_s: float = settings.DB_HOLD_S  # once: Django's settings cost a microsecond a look

    async def submit(self, item: Item, weight: int = 1) -> Result:
        """Store an item with whatever else is waiting; return what the service says of it, after the commit.

        :raises DatabaseAway: DB_HOLD_S is over; whether it was stored is unknown.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._hold_s
        if len(self._waiting) >= self._max_waiting:
            await self._wait_for_room(deadline)
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append(Waiting(item, weight, future, deadline))
        if self._task is None:
            self._task = loop.create_task(self._work())
        if self._timer is None:
            self._timer = loop.call_at(deadline, self._on_deadline)
        return await future

    async def _wait_for_room(self, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                while len(self._waiting) >= self._max_waiting:
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError as error:
            raise DatabaseAway("no answer in time") from error

    def _on_deadline(self) -> None:
        """Give up those who have waited for too long, in a batch that hangs and in the queue behind it.

        One timer for all, set to the earliest deadline when it fires: most messages are long answered by theirs.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._timer = None
        unanswered = [entry for entry in (*self._running, *self._waiting) if not entry.future.done()]
        for entry in unanswered:
            if entry.deadline <= now:
                entry.future.set_exception(DatabaseAway("no answer in time"))
        later = [entry.deadline for entry in unanswered if entry.deadline > now]
        if later:
            self._timer = loop.call_at(min(later), self._on_deadline)

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
        self._room.set()
        return batch

    async def _commit(self, batch: list[Waiting[Item, Result]]) -> None:
        delay_s = domain.FIRST_RETRY_S
        loop = asyncio.get_running_loop()
        while batch:
            try:
                # A database that hangs must not hold its charger longer than one that is down.
                async with asyncio.timeout_at(max(entry.deadline for entry in batch)):
                    stored = await domain.call(self._store, [entry.item for entry in batch])
            except (DatabaseAway, TimeoutError) as error:
                batch = self._expire(batch, loop.time(), error)
                if batch:
                    await asyncio.sleep(delay_s)
                    delay_s = min(delay_s * 2, domain.LAST_RETRY_S)
            except Exception as error:
                await self._commit_one_by_one(batch, error)
                return
            else:
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

    @staticmethod
    def _expire(batch: list[Waiting[Item, Result]], now: float, error: Exception) -> list[Waiting[Item, Result]]:
        alive = []
        for entry in batch:
            if entry.future.done():
                continue
            if now >= entry.deadline:
                entry.future.set_exception(DatabaseAway(str(error)))
            else:
                alive.append(entry)
        return alive
