"""What transactions do when something happened."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.dispatch import receiver
from django.utils import timezone

from stations.models import Command
from stations.signals import command_ended, command_requested
from transactions.operations import (
    CancelReservation,
    ClearChargingProfiles,
    ReadCompositeSchedule,
    Reserve,
    SetChargingProfile,
    StartCharging,
    StopCharging,
)
from transactions.services.charging_profiles import keep_profile
from transactions.services.profile_answers import apply_profile_answer, end_profiles_of
from transactions.services.remote import (
    check_remote_start,
    check_remote_stop,
    complete_stop_answered,
    complete_stops,
    link_answered,
    link_started,
)
from transactions.services.reservation_ends import apply_reservation_answer
from transactions.services.reservations import check_cancellation, keep_reservation
from transactions.signals import transactions_started, transactions_stopped
from transactions.types import Started, Stopped

CHECKS: dict[str, Callable[[Command], None]] = {
    CancelReservation.name: lambda command: check_cancellation(command=command),
    StartCharging.name: lambda command: check_remote_start(command=command, now=command.created_at),
    StopCharging.name: lambda command: check_remote_stop(command=command),
    Reserve.name: lambda command: keep_reservation(command=command, now=command.created_at),
    SetChargingProfile.name: lambda command: keep_profile(command=command, now=command.created_at),
}


@receiver(command_requested)
def check_command(*, command: Command, **kwargs: Any) -> None:
    """Check commands about transactions, reservations and charging profiles, and store what they ask for.

    A payload that staff insist on against its schema is not interpreted.
    """
    if command.operation in CHECKS and not command.allows_invalid:
        CHECKS[command.operation](command)


@receiver(command_ended)
def apply_command(*, command: Command, now: datetime, **kwargs: Any) -> None:
    """Apply a station's answer to the rows that the command is about."""
    if command.operation == StartCharging.name and command.succeeded:
        link_answered(command=command, now=now)
    elif command.operation == StopCharging.name and command.succeeded:
        complete_stop_answered(command=command, now=now)
    elif command.operation in (Reserve.name, CancelReservation.name):
        apply_reservation_answer(command=command, now=now)
    elif command.operation in (SetChargingProfile.name, ClearChargingProfiles.name, ReadCompositeSchedule.name):
        apply_profile_answer(command=command, now=now)


@receiver(transactions_started)
def link_remote_starts(*, started: list[Started], **kwargs: Any) -> None:
    """Link new transactions to the remote starts that led to them."""
    link_started(started=started)


@receiver(transactions_stopped)
def complete_remote_stops(*, stopped: list[Stopped], **kwargs: Any) -> None:
    """Complete the effects of remote stops, and end the charging profiles of the transactions."""
    now = timezone.now()
    complete_stops(stopped=stopped, now=now)
    end_profiles_of(stopped=stopped, now=now)
