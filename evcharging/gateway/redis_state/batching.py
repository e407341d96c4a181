"""Batches Redis commands: those that arrive during one round trip go out together in the next.

A fleet that connects at once must not open a connection to Redis for each charger.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

logger = logging.getLogger(__name__)

MAX_BATCH = 500
"""Commands per round trip: a script blocks Redis for everybody else."""


class RedisCommand(NamedTuple):
    """A key and the arguments of a Lua script for it; a script takes the same number of arguments for every key."""

    key: str
    arguments: tuple[str | bytes, ...]


class Batcher:
    """A queue into `execute`, which runs a batch of commands in the order of submission.

    :param execute: returns one result per command; where it raises, every command of the batch gets None.
    """

    def __init__(self, execute: Callable[[Sequence[RedisCommand]], Awaitable[Sequence[Any]]]) -> None:
        self._execute = execute
        self._queue: list[tuple[RedisCommand, asyncio.Future[Any]]] = []
        self._task: asyncio.Task[None] | None = None

    def submit(self, command: RedisCommand) -> "asyncio.Future[Any]":
        """Queue a command; return the future of its result, which need not be awaited."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue.append((command, future))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
        return future

    async def close(self) -> None:
        """Wait until every submitted command has run."""
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        try:
            while self._queue:
                batch, self._queue = self._queue[:MAX_BATCH], self._queue[MAX_BATCH:]
                try:
                    results = await self._execute([command for command, _ in batch])
                except Exception:  # a future that never completes would hang its connection
                    logger.exception("A batch of Redis commands failed")
                    results = [None] * len(batch)
                for (_, future), result in zip(batch, results, strict=True):
                    if not future.done():
                        future.set_result(result)
        finally:
            self._task = None
