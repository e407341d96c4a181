"""ReserveNow and CancelReservation."""

import asyncio
from typing import Any

from ocpp.routing import on
from ocpp.v16 import call_result
from ocpp.v16.enums import Action, CancelReservationStatus, ReservationStatus

from evcharging.simulator.commands.handlers import CommandHandlers
from evcharging.simulator.reservations import Reservation
from evcharging.simulator.times import now, parse_time


class ReservationHandlers(CommandHandlers):
    """Reservations of connectors."""

    @on(Action.reserve_now)
    def reserve_now(
        self,
        connector_id: int,
        expiry_date: str,
        id_tag: str,
        reservation_id: int,
        **_: Any,
    ) -> call_result.ReserveNow:
        """OCPP 1.6 §5.13; a known reservation id replaces its reservation."""
        expires_at = parse_time(expiry_date)
        status = self._status(connector_id, reservation_id)
        if expires_at <= now():
            status = ReservationStatus.rejected
        if status == ReservationStatus.accepted:
            self.station.reservations.add(Reservation(reservation_id, connector_id, id_tag, expires_at))
            self.after_answer(self.station.set_idle_statuses)
            self.after_answer(lambda: self._expire((expires_at - now()).total_seconds()))
        return call_result.ReserveNow(status)

    @on(Action.cancel_reservation)
    def cancel_reservation(self, reservation_id: int, **_: Any) -> call_result.CancelReservation:
        if self.station.reservations.get(reservation_id) is None:
            return call_result.CancelReservation(CancelReservationStatus.rejected)
        self.station.reservations.cancel(reservation_id)
        self.after_answer(self.station.set_idle_statuses)
        return call_result.CancelReservation(CancelReservationStatus.accepted)

    def _status(self, connector_id: int, reservation_id: int) -> ReservationStatus:
        station = self.station
        if connector_id and connector_id not in station.connectors:
            return ReservationStatus.rejected
        candidates = [c for c in station.connectors.values() if connector_id in (0, c.number)]
        if not station.is_operative or not any(connector.is_operative for connector in candidates):
            return ReservationStatus.unavailable

        def is_free(connector_id: int) -> bool:
            other = station.reservations.of_connector(connector_id)
            return other is None or other.reservation_id == reservation_id

        idle = [c for c in candidates if c.session is None and c.is_operative and is_free(c.number)]
        if not idle or (connector_id == 0 and not is_free(0)):
            return ReservationStatus.occupied
        return ReservationStatus.accepted

    async def _expire(self, seconds: float) -> None:
        await asyncio.sleep(seconds + 0.05)
        await self.station.set_idle_statuses()
