"""What the sets of commands have in common."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evcharging.simulator.station import Station

Work = Callable[[], Coroutine[Any, Any, None]]


class CommandSet:
    """Answers of one station. A handler returns at once; what takes longer is a follow-up, begun after the answer.

    The connection receives nothing while a handler runs, so that one which waited for an answer of the central system
    would wait for ever.
    """

    station: "Station"
    follow_ups: list[Work]

    def afterwards(self, work: Work) -> None:
        self.follow_ups.append(work)

    async def rest_all(self) -> None:
        """Show what the connectors without a session are now."""
        for connector in self.station.connectors.values():
            await self.station.rest(connector)

    async def ask(self, payload: Any) -> Any:
        """Send a CALL on this connection and return its answer; the connection defines it."""
        raise NotImplementedError

    async def boot(self) -> None:
        """Announce the station on this connection; likewise."""
        raise NotImplementedError
