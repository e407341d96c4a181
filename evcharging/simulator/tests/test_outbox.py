"""The queue of transaction messages, on a connection that answers as a test says."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from evcharging.simulator.connection import CallFailed, Offline
from evcharging.simulator.outbox import Outbox

SETTINGS = {"TransactionMessageAttempts": 3, "TransactionMessageRetryInterval": 0}


class Connection:
    """The far side: each CALL gets the next outcome, which is raised if it is an exception."""

    def __init__(self, *outcomes: Any) -> None:
        self.sent: list[str] = []
        self._outcomes: Iterator[Any] = iter(outcomes)

    async def send_call(self, payload: Any) -> Any:
        self.sent.append(payload)
        outcome = next(self._outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@asynccontextmanager
async def running(connection: Any, errors: list[str]) -> AsyncIterator[Outbox]:
    async def wait_online() -> Any:
        return connection

    outbox = Outbox(wait_online, SETTINGS.__getitem__, errors.append)
    task = asyncio.create_task(outbox.run())
    try:
        async with asyncio.timeout(5):
            yield outbox
    finally:
        task.cancel()


async def test_messages_are_sent_in_order_and_get_their_answers() -> None:
    connection, errors = Connection("one", "two"), []
    async with running(connection, errors) as outbox:
        first, second = outbox.put("start"), outbox.put("stop")
        assert [await first, await second] == ["one", "two"]
    assert (connection.sent, errors) == (["start", "stop"], [])


async def test_lost_connection_is_no_failed_attempt() -> None:
    connection, errors = Connection(*[Offline()] * 4, "answer"), []
    async with running(connection, errors) as outbox:
        assert await outbox.put("start") == "answer"
    assert (connection.sent, errors) == (["start"] * 5, [])


async def test_message_is_given_up_after_so_many_failures_and_the_next_is_sent() -> None:
    connection, errors = Connection(*[CallFailed("refused")] * 3, "answer"), []
    async with running(connection, errors) as outbox:
        first, second = outbox.put("start"), outbox.put("stop")
        assert [await first, await second] == [None, "answer"]
    assert (connection.sent, errors) == (["start"] * 3 + ["stop"], ["refused"] * 3)
