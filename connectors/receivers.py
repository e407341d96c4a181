"""What connectors do when something happened."""

from datetime import datetime
from typing import Any

from django.dispatch import receiver

from connectors.operations import ChangeAvailability
from connectors.services.availability import check_connector_of_command, want_availability
from stations.models import Command
from stations.signals import command_ended, command_requested


@receiver(command_requested)
def check_connector(*, command: Command, **kwargs: Any) -> None:
    """Refuse commands to connectors that do not exist."""
    check_connector_of_command(command)


@receiver(command_ended)
def follow_availability(*, command: Command, now: datetime, **kwargs: Any) -> None:
    """Keep the status that an accepted change of availability is to lead to."""
    if command.operation == ChangeAvailability.name and command.succeeded:
        want_availability(command=command, now=now)
