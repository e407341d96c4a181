"""What stations answered about charging profiles, and what ends them."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from evcharging.db.prepared import run_prepared
from stations.models import Command, CommandStatus
from transactions.charging_rules import read_instant
from transactions.models import ChargingProfile, CompositeSchedule, ProfileStatus
from transactions.services.charging_profiles import profiles_before, replace_profiles
from transactions.types import Stopped


@transaction.atomic
def apply_profile_answer(*, command: Command, now: datetime) -> None:
    """Take over what a station answered to SetChargingProfile, ClearChargingProfile or GetCompositeSchedule.

    What staff insisted on against the schema means nothing here.
    """
    if command.allows_invalid:
        return
    if command.action == "SetChargingProfile":
        _apply_set(command, now)
    elif command.action == "ClearChargingProfile" and command.status == CommandStatus.ANSWERED:
        # Unknown says that there is none that fits: then none of ours is there either.
        if command.result_status in ("Accepted", "Unknown"):
            _cleared_by(command).update(status=ProfileStatus.CLEARED, cleared_by_command=command, ended_at=now)
    elif command.action == "GetCompositeSchedule" and command.succeeded:
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
    """Return the profiles that a ClearChargingProfile means: by id, else by all that is given (OCPP 1.6 §5.5)."""
    payload = command.payload
    rows = profiles_before(command)
    if "id" in payload:
        return rows.filter(charging_profile_id=payload["id"])
    for name, column in (
        ("connectorId", "connector_id"), ("chargingProfilePurpose", "purpose"), ("stackLevel", "stack_level"),
    ):  # fmt: skip
        if name in payload:
            rows = rows.filter(**{column: payload[name]})
    return rows


def _keep_composite(command: Command, now: datetime) -> None:
    response = command.response if isinstance(command.response, dict) else {}
    schedule = response.get("chargingSchedule")
    if not isinstance(schedule, dict):
        return
    CompositeSchedule.objects.get_or_create(
        command=command,
        defaults={
            "station_id": command.station_id,
            "connector_id": command.payload.get("connectorId", 0),
            "starts_at": read_instant(response.get("scheduleStart")),
            "schedule": schedule,
            "received_at": now,
        },
    )
