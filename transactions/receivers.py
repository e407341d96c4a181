"""What transactions do when something happened."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.dispatch import receiver
from django.utils import timezone

from meter.signals import readings_stored
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
from transactions.services.readings import RunningValue, update_running_values
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


@receiver(readings_stored)
def carry_running_values(*, values: list[RunningValue], **kwargs: Any) -> None:
    """Update the transactions that a batch of readings belongs to, in the same database transaction."""
    update_running_values(values=values)


CHECKS: dict[str, Callable[[Command], None]] = {
    CancelReservation.name: lambda command: check_cancellation(command=command),
    StartCharging.name: lambda command: check_remote_start(command=command, now=command.created_at),
    StopCharging.name: lambda command: check_remote_stop(command=command),
    Reserve.name: lambda command: keep_reservation(command=command, now=command.created_at),
    SetChargingProfile.name: lambda command: keep_profile(command=command, now=command.created_at),
}


@receiver(command_requested)
def check_command(*, command: Command, **kwargs: Any) -> None:
    """Hold commands about transactions, reservations and charging profiles to their rules, and keep what they ask for.

    What staff insist on against the schema is nobody's to interpret.
    """
    if command.operation in CHECKS and not command.allows_invalid:
        CHECKS[command.operation](command)


@receiver(command_ended)
def apply_command(*, command: Command, now: datetime, **kwargs: Any) -> None:
    """Take over what a station answered."""
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
    """Join new transactions with the remote starts that led to them."""
    link_started(started=started)


@receiver(transactions_stopped)
def complete_remote_stops(*, stopped: list[Stopped], **kwargs: Any) -> None:
    """Remote stops have led to what they were to lead to; profiles of the transactions end with them."""
    now = timezone.now()
    complete_stops(stopped=stopped, now=now)
    end_profiles_of(stopped=stopped, now=now)
