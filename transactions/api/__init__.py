"""The API's resources of transactions: the transactions, and messages that fit none."""

from transactions.api.orphans import OrphanViewSet
from transactions.api.reservations import ChargingProfileViewSet, CompositeScheduleViewSet, ReservationViewSet
from transactions.api.transactions import TransactionViewSet

__all__ = [
    "ChargingProfileViewSet",
    "CompositeScheduleViewSet",
    "OrphanViewSet",
    "ReservationViewSet",
    "TransactionViewSet",
]
