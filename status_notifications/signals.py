"""What happens to status history."""

from django.dispatch import Signal

statuses_stored = Signal()
"""A batch of status notifications is being stored.

Way: emit. Arguments: `statuses: list[connectors.services.StatusAt]` in the order received. Sent also for statuses that
were stored before (a resend).
"""
