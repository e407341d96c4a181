"""ChangeAvailability, UnlockConnector and Reset."""

from typing import Any

from ocpp.routing import on
from ocpp.v16 import call_result
from ocpp.v16.enums import Action, AvailabilityStatus, ResetStatus, UnlockStatus

from evcharging.simulator.commands.handlers import CommandHandlers


class AvailabilityHandlers(CommandHandlers):
    """Availability of connectors and of the whole station."""

    @on(Action.change_availability)
    def change_availability(self, connector_id: int, type: str, **_: Any) -> call_result.ChangeAvailability:
        """OCPP 1.6 §5.2: a session in progress continues, and its connector is unavailable after it."""
        station = self.station
        if connector_id and connector_id not in station.connectors:
            return call_result.ChangeAvailability(AvailabilityStatus.rejected)
        is_operative = type == "Operative"
        if connector_id == 0:
            station.is_operative = is_operative
            connectors = list(station.connectors.values())
            self.after_answer(lambda: station.send(station.status_notification(0)))
        else:
            connectors = [station.connectors[connector_id]]
        for connector in connectors:
            connector.is_operative = is_operative
        self.after_answer(self.station.set_idle_statuses)
        busy = not is_operative and any(connector.session for connector in connectors)
        return call_result.ChangeAvailability(AvailabilityStatus.scheduled if busy else AvailabilityStatus.accepted)

    @on(Action.unlock_connector)
    def unlock_connector(self, connector_id: int, **_: Any) -> call_result.UnlockConnector:
        """OCPP 1.6 §5.18: a session on the connector is stopped first."""
        connector = self.station.connectors.get(connector_id)
        if connector is None:
            return call_result.UnlockConnector(UnlockStatus.not_supported)
        if connector.session is not None:
            connector.session.stop("UnlockCommand")
        return call_result.UnlockConnector(UnlockStatus.unlocked)

    @on(Action.reset)
    def reset(self, type: str, **_: Any) -> call_result.Reset:
        """OCPP 1.6 §5.14: a soft reset sends the StopTransactions before the reboot, a hard one after it."""
        self.after_answer(self._reset_soft if type == "Soft" else self._reset_hard)
        return call_result.Reset(ResetStatus.accepted)

    async def _reset_soft(self) -> None:
        sessions = self.station.sessions()
        for session in sessions:
            session.stop("SoftReset")
        for session in sessions:
            await session.finished.wait()
        await self.station.reconnect(is_boot=True)

    async def _reset_hard(self) -> None:
        # Nothing is awaited before reconnect() marks the station offline, so the StopTransactions wait in the outbox.
        for session in self.station.sessions():
            session.stop("HardReset")
        await self.station.reconnect(is_boot=True)
