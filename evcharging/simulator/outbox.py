"""Transaction messages: in order, kept until each is answered, given up after so many refusals (OCPP 1.6 §3.7.1)."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from evcharging.simulator.outcomes import Offline, Refused

if TYPE_CHECKING:
    from evcharging.simulator.station import Station

MakePayload = Callable[[], Any]
"""Called when the message is sent: what was put before it has been answered, a transaction id among it."""


class Outbox:
    """One station's queue."""

    def __init__(self, station: "Station") -> None:
        self._station = station
        self._queue: asyncio.Queue[tuple[MakePayload, asyncio.Future[Any]]] = asyncio.Queue()

    def put(self, make: MakePayload) -> asyncio.Future[Any]:
        """Queue a message; the future gets its answer, None if it was given up."""
        answered = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((make, answered))
        return answered

    async def work(self) -> None:
        """Deliver for ever."""
        while True:
            make, answered = await self._queue.get()
            answer = await self._deliver(make)
            if not answered.done():
                answered.set_result(answer)

    async def _deliver(self, make: MakePayload) -> Any:
        station, refusals = self._station, 0
        while True:
            charge_point = await station.online()
            try:
                return await charge_point.ask(make())
            except Offline:
                continue
            except Refused as refusal:
                station.tally.error(station.identity, str(refusal))
                refusals += 1
                if refusals >= station.configuration.integer("TransactionMessageAttempts"):
                    return None
                await asyncio.sleep(station.configuration.integer("TransactionMessageRetryInterval") * refusals)
