"""Transactions, and the messages that fit none, in the back office."""

from transactions.admin import conflicts, elsewhere, orphans, transaction
from transactions.admin.transaction import TransactionAdmin

__all__ = ["TransactionAdmin", "conflicts", "elsewhere", "orphans", "transaction"]
