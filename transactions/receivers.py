"""What transactions do when something happened."""

from typing import Any

from django.dispatch import receiver

from meter.signals import readings_stored
from transactions.services import RunningValue, update_running_values


@receiver(readings_stored)
def carry_running_values(*, values: list[RunningValue], **kwargs: Any) -> None:
    """Update the transactions that a batch of readings belongs to, in the same database transaction."""
    update_running_values(values=values)
