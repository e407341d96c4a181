"""Reservations of a connector, or of any connector, for an id tag until a time (OCPP 1.6 §5.13)."""

from dataclasses import dataclass
from datetime import datetime

from evcharging.simulator.times import now


@dataclass(frozen=True)
class Reservation:
    """One reservation; connector 0 is any connector of the station."""

    reservation_id: int
    connector_id: int
    id_tag: str
    expires_at: datetime

    def is_for(self, id_tag: str) -> bool:
        return self.id_tag.casefold() == id_tag.casefold()


class Reservations:
    """One station's reservations; expired ones are not returned."""

    def __init__(self) -> None:
        self._by_id: dict[int, Reservation] = {}

    def add(self, reservation: Reservation) -> None:
        """Add a reservation, or replace the one with its id."""
        self._by_id[reservation.reservation_id] = reservation

    def cancel(self, reservation_id: int) -> Reservation | None:
        return self._by_id.pop(reservation_id, None)

    def get(self, reservation_id: int) -> Reservation | None:
        reservation = self._by_id.get(reservation_id)
        return reservation if reservation and reservation.expires_at > now() else None

    def of_connector(self, connector_id: int) -> Reservation | None:
        current = (reservation for reservation in self._by_id.values() if reservation.expires_at > now())
        return next((reservation for reservation in current if reservation.connector_id == connector_id), None)

    def use(self, connector_id: int, id_tag: str) -> int | None:
        """Remove the reservation that a start of this tag on this connector uses; return its id."""
        for number in (connector_id, 0):
            reservation = self.of_connector(number)
            if reservation is not None and reservation.is_for(id_tag):
                self.cancel(reservation.reservation_id)
                return reservation.reservation_id
        return None
