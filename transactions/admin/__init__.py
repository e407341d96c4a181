"""Transactions, and the messages that fit none, in the back office."""

from transactions.admin import conflicts, operation_forms, orphans, reservations, station_panels, transaction
from transactions.admin.transaction import TransactionAdmin

__all__ = [
    "TransactionAdmin",
    "conflicts",
    "operation_forms",
    "orphans",
    "reservations",
    "station_panels",
    "transaction",
]
