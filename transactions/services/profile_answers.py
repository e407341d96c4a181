"""What stations answered about charging profiles, and what ends them."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from evcharging.db.prepared import run_prepared
from stations.dialects import Verdict
from stations.models import Command, CommandStatus
from transactions.charging_rules import read_instant
from transactions.models import ChargingProfile, CompositeSchedule, ProfileStatus
from transactions.operations import ClearChargingProfiles, ReadCompositeSchedule, SetChargingProfile
from transactions.services.charging_profiles import profiles_before, replace_profiles
from transactions.types import Stopped


@transaction.atomic
def apply_profile_answer(*, command: Command, now: datetime) -> None:
    """Take over what a station answered about charging profiles.

    What staff insisted on against the schema means nothing here.
    """
    if command.allows_invalid:
        return
    if command.operation == SetChargingProfile.name:
        _apply_set(command, now)
    elif command.operation == ClearChargingProfiles.name and command.status == CommandStatus.ANSWERED:
        # "Not found" says that there is none that fits: then none of ours is there either.
        if command.verdict in (Verdict.ACCEPTED, Verdict.NOT_FOUND):
            _cleared_by(command).update(status=ProfileStatus.CLEARED, cleared_by_command=command, ended_at=now)
    elif command.operation == ReadCompositeSchedule.name and command.succeeded:
        _keep_composite(command, now)


_END_SQL = """
    UPDATE transactions_chargingprofile SET status = 'ended', ended_at = %s::timestamptz
    WHERE transaction_id = ANY(%s::bigint[]) AND status IN ('requested', 'active')
"""


def end_profiles_of(*, stopped: Iterable[Stopped], now: datetime) -> None:
    """End the TxProfiles of transactions that have ended.

    Those without an answer too: one may be recorded at this moment, and it saw the transaction open.
    """
    run_prepared(_END_SQL, [now, [each.pk for each in stopped]])


def _apply_set(command: Command, now: datetime) -> None:
    row = (
        ChargingProfile.objects.select_for_update(no_key=True)
        .filter(command=command, status=ProfileStatus.REQUESTED)
        .first()
    )
    if row is None:
        return
    row.result_status = command.result_status
    if command.status == CommandStatus.TIMED_OUT:
        # The station may have it all the same: it stays as requested until another replaces it, or it is cleared.
        row.result_status = "no answer"
    elif not command.succeeded:
        row.status, row.ended_at = ProfileStatus.REFUSED, now
        row.result_status = row.result_status or (command.error or {}).get("code", "")
    else:
        replace_profiles(row, now)
        row.status = ProfileStatus.ACTIVE
        if row.transaction is not None and not row.transaction.is_open:
            row.status, row.ended_at = ProfileStatus.ENDED, now
    row.save()


def _cleared_by(command: Command) -> QuerySet[ChargingProfile]:
    """Return the profiles that a clearing means: by id, else by all that is given (OCPP 1.6 §5.5)."""
    said = command.said
    assert isinstance(said, ClearChargingProfiles)
    rows = profiles_before(command)
    if said.profile_id is not None:
        return rows.filter(charging_profile_id=said.profile_id)
    if said.connector_id is not None:
        rows = rows.filter(connector_id=said.connector_id)
    if said.purpose_of_profile is not None:
        rows = rows.filter(purpose=said.purpose_of_profile)
    if said.stack_level is not None:
        rows = rows.filter(stack_level=said.stack_level)
    return rows


def _keep_composite(command: Command, now: datetime) -> None:
    said, told = command.said, command.result or {}
    schedule = told.get("schedule")
    if not isinstance(schedule, dict) or not isinstance(said, ReadCompositeSchedule):
        return
    CompositeSchedule.objects.get_or_create(
        command=command,
        defaults={
            "station_id": command.station_id,
            "connector_id": said.connector_id,
            "starts_at": read_instant(told.get("starts_at")),
            "schedule": schedule,
            "received_at": now,
        },
    )
