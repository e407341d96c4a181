"""Transactions, and the messages that fit none, in the back office."""

from transactions import operation_forms
from transactions.admin import conflicts, elsewhere, orphans, reservations, transaction
from transactions.admin.transaction import TransactionAdmin

__all__ = ["TransactionAdmin", "conflicts", "elsewhere", "operation_forms", "orphans", "reservations", "transaction"]
