"""Transactions, unmatched messages, reservations and charging profiles in the back office."""

from transactions.admin import (
    charging_profiles,
    conflicts,
    operation_forms,
    orphans,
    reservations,
    station_panels,
    tag_panels,
    transaction,
    transaction_panels,
)

__all__ = [
    "charging_profiles",
    "conflicts",
    "operation_forms",
    "orphans",
    "reservations",
    "station_panels",
    "tag_panels",
    "transaction",
    "transaction_panels",
]
