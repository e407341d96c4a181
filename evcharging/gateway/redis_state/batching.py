"""Wishes to Redis, many in one round trip: while one runs, what is asked for collects, and the next takes it all.

A fleet that connects at once must not open a connection to Redis for each charger.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

logger = logging.getLogger(__name__)
Wish = TypeVar("Wish")

MAX_BATCH = 500
"""Wishes in one round trip: Redis serves nobody else meanwhile."""


class Collector(Generic[Wish]):
    """A queue into one function that does a batch of wishes in the order in which they were asked, and returns what it
    found for each. Where the function fails, that is None for all of them."""

    def __init__(self, execute: Callable[[Sequence[Wish]], Awaitable[Sequence[Any]]]) -> None:
        self._execute = execute
        self._waiting: list[tuple[Wish, asyncio.Future[Any]]] = []
        self._task: asyncio.Task[None] | None = None

    def ask(self, wish: Wish) -> "asyncio.Future[Any]":
        """Ask for something to be done soon; the future may be left alone."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((wish, future))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())
        return future

    async def close(self) -> None:
        """Wait until all is done that was asked for."""
        if self._task is not None:
            await self._task

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
                try:
                    found = await self._execute([wish for wish, _ in batch])
                except Exception:  # nobody may wait for ever for what can be done without
                    logger.exception("wishes to redis failed")
                    found = [None] * len(batch)
                for (_, future), result in zip(batch, found, strict=True):
                    if not future.done():
                        future.set_result(result)
        finally:
            self._task = None
