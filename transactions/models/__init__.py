"""Transactions, messages that match none, reservations and charging profiles."""

from transactions.models.charging import (
    ChargingProfile,
    CompositeSchedule,
    ProfileKind,
    ProfilePurpose,
    ProfileStatus,
    RateUnit,
    RecurrencyKind,
)
from transactions.models.orphans import OrphanKind, OrphanMessage, OrphanState, StopConflict
from transactions.models.reservations import HELD, Reservation, ReservationStatus
from transactions.models.transactions import Closing, EstimateCause, Mark, StopReason, Transaction, TransactionQuerySet

__all__ = [
    "HELD",
    "ChargingProfile",
    "Closing",
    "CompositeSchedule",
    "EstimateCause",
    "Mark",
    "OrphanKind",
    "OrphanMessage",
    "OrphanState",
    "ProfileKind",
    "ProfilePurpose",
    "ProfileStatus",
    "RateUnit",
    "RecurrencyKind",
    "Reservation",
    "ReservationStatus",
    "StopConflict",
    "StopReason",
    "Transaction",
    "TransactionQuerySet",
]
