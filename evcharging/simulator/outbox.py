"""Queue of transaction messages: sent in order, each until it is answered or given up (OCPP 1.6 §3.7.1)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from evcharging.simulator.connection import CallFailed, Connection, Offline


class Outbox:
    """One station's queue.

    :param wait_online: returns the connection once transaction messages may be sent on it.
    :param setting: returns a configuration key's value as an integer, read before each retry.
    :param record_error: takes the text of a failed CALL.
    """

    def __init__(
        self,
        wait_online: Callable[[], Awaitable[Connection]],
        setting: Callable[[str], int],
        record_error: Callable[[str], None],
    ) -> None:
        self._wait_online, self._setting, self._record_error = wait_online, setting, record_error
        self._queue: asyncio.Queue[tuple[Any, asyncio.Future[Any]]] = asyncio.Queue()

    def put(self, payload: Any) -> asyncio.Future[Any]:
        """Queue a CALL; the future resolves to its answer, to None once it is given up."""
        answered = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((payload, answered))
        return answered

    async def run(self) -> None:
        """Send queued messages one at a time until cancelled."""
        while True:
            payload, answered = await self._queue.get()
            answer = await self._deliver(payload)
            if not answered.done():
                answered.set_result(answer)

    async def _deliver(self, payload: Any) -> Any:
        """Return the answer; None after TransactionMessageAttempts failures. A lost connection is not one of them."""
        failures = 0
        while True:
            connection = await self._wait_online()
            try:
                return await connection.send_call(payload)
            except Offline:
                continue
            except CallFailed as failure:
                self._record_error(str(failure))
                failures += 1
                if failures >= self._setting("TransactionMessageAttempts"):
                    return None
                await asyncio.sleep(self._setting("TransactionMessageRetryInterval") * failures)
