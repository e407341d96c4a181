"""What connectors do when something happened."""

from typing import Any

from django.dispatch import receiver

from connectors.services import StatusAt, apply_statuses
from status_notifications.signals import statuses_stored


@receiver(statuses_stored)
def update_connectors(*, statuses: list[StatusAt], **kwargs: Any) -> None:
    """Create and update the connectors whose statuses were stored, in the same database transaction."""
    apply_statuses(statuses=statuses)
