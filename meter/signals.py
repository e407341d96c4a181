"""What happens to meter values."""

from django.dispatch import Signal

readings_stored = Signal()
"""A batch of meter values is being stored.

Way: emit. Arguments: `values: list[transactions.services.RunningValue]`, one per message that belongs to a
transaction. Sent for resends too; not sent for a batch without transactions.
"""
