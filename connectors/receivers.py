"""What connectors do when something happened."""

from datetime import datetime
from typing import Any

from django.dispatch import receiver

from connectors.operations import ChangeAvailability
from connectors.services.availability import check_connector_of_command, settle_availability, want_availability
from connectors.services.states import StatusAt, apply_statuses
from stations.models import Command
from stations.signals import command_ended, command_requested
from status_notifications.signals import statuses_stored


@receiver(statuses_stored)
def update_connectors(*, statuses: list[StatusAt], **kwargs: Any) -> None:
    """Create and update the connectors whose statuses were stored, in the same database transaction."""
    awaited = apply_statuses(statuses=statuses)
    if awaited:
        settle_availability(station_ids=awaited, now=max(status.received_at for status in statuses))


@receiver(command_requested)
def check_connector(*, command: Command, **kwargs: Any) -> None:
    """Refuse commands to connectors that cannot be meant."""
    check_connector_of_command(command)


@receiver(command_ended)
def follow_availability(*, command: Command, now: datetime, **kwargs: Any) -> None:
    """Wait for the status that an accepted ChangeAvailability leads to."""
    if command.operation == ChangeAvailability.name and command.succeeded:
        want_availability(command=command, now=now)
