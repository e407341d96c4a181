"""What stations do when one of their commands has ended."""

from datetime import datetime
from typing import Any

from django.dispatch import receiver

from stations.models import Command, CommandStatus
from stations.operations import ChangeConfiguration, ReadConfiguration
from stations.services.configuration import apply_change_answer, apply_configuration_answer
from stations.signals import command_ended


@receiver(command_ended)
def keep_configuration(*, command: Command, now: datetime, **kwargs: Any) -> None:
    """Keep what the answer says of the station's configuration, its password included."""
    if command.status != CommandStatus.ANSWERED or not command.succeeded:
        return
    if command.operation == ReadConfiguration.name:
        apply_configuration_answer(command, now)
    elif command.operation == ChangeConfiguration.name:
        apply_change_answer(command, now)
