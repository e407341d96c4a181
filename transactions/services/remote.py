"""Remote starts and stops: what may be asked for, and which transaction it led to."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from id_tags.models import fold_id_tag
from id_tags.selectors import authorize
from stations.models import Command, FollowUp
from stations.services import CommandRefused, complete_follow_up, has_follow_up, request_command
from transactions.charging_rules import BadProfile, check_remote_start_profile
from transactions.models import Closing, Transaction

START, STOP = "RemoteStartTransaction", "RemoteStopTransaction"
BEFORE_ANSWER = timedelta(seconds=60)
"""How much earlier than its answer a remote start's transaction may have begun: some start before they answer."""


def request_remote_start(
    *,
    station_id: int,
    id_tag: str,
    connector_id: int | None,
    requested_by: str,
    via: str,
    now: datetime,
    charging_profile: Mapping[str, Any] | None = None,
    reason: str = "",
    waits_s: float = 0,
) -> Command:
    """Ask a station to start charging for a tag (OCPP 1.6 §5.11).

    :raises CommandRefused: the tag may not charge, the connector is taken, or the profile breaks the rules.
    """
    payload: dict[str, Any] = {"idTag": id_tag}
    if connector_id is not None:
        payload["connectorId"] = connector_id
    if charging_profile is not None:
        payload["chargingProfile"] = dict(charging_profile)
    return request_command(
        station_id=station_id,
        action=START,
        payload=payload,
        requested_by=requested_by,
        via=via,
        now=now,
        reason=reason,
        waits_s=waits_s,
    )


def request_remote_stop(*, pk: int, requested_by: str, via: str, now: datetime, reason: str = "") -> Command:
    """Ask the station to stop a transaction (OCPP 1.6 §5.12).

    :raises CommandRefused: it has ended already. :raises Transaction.DoesNotExist:
    """
    row = Transaction.objects.get(pk=pk)
    return request_command(
        station_id=row.station_id,
        action=STOP,
        payload={"transactionId": row.transaction_id},
        requested_by=requested_by,
        via=via,
        now=now,
        reason=reason,
    )


def check_remote_start(*, command: Command, now: datetime) -> None:
    """Hold a RemoteStartTransaction to the rules (OCPP 1.6 §5.11).

    :raises CommandRefused:
    """
    payload = command.payload
    status = authorize(id_tag=payload["idTag"], now=now).status
    if status != "Accepted":
        raise CommandRefused(f"the tag may not charge: {status}")
    connector_id = payload.get("connectorId")
    if connector_id is not None and connector_id < 1:
        raise CommandRefused("a remote start's connector is above 0 (OCPP 1.6 §5.11)")
    running = Transaction.objects.open().filter(station_id=command.station_id)
    if connector_id is not None and running.filter(connector__connector_id=connector_id).exists():
        raise CommandRefused(f"a transaction is open on connector {connector_id}")
    profile = payload.get("chargingProfile")
    if profile is not None:
        try:
            check_remote_start_profile(profile, connector_id)
        except BadProfile as error:
            raise CommandRefused(str(error)) from None


def check_remote_stop(*, command: Command) -> None:
    """Hold a RemoteStopTransaction to an open transaction of that very station.

    :raises CommandRefused:
    """
    wanted = command.payload["transactionId"]
    row = Transaction.objects.filter(station_id=command.station_id, transaction_id=wanted).first()
    if row is None:
        raise CommandRefused(f"the station has no transaction {wanted}")
    if row.closing == Closing.REPORTED:
        raise CommandRefused(f"transaction {wanted} has ended already")


def link_started(*, pk: int, station_id: int, now: datetime) -> bool:
    """Join a new transaction with the remote start that led to it; return whether one did."""
    if not has_follow_up(station_id=station_id, action=START):
        return False
    return _link(Transaction.objects.select_related("connector").get(pk=pk), now)


def link_answered(*, command: Command, now: datetime) -> bool:
    """Join an accepted remote start with its transaction, if that was quicker than the answer."""
    rows = Transaction.objects.filter(
        station_id=command.station_id,
        started_by_command=None,
        id_tag_folded=fold_id_tag(command.payload["idTag"]),
        start_received_at__gte=max(command.sent_at or now, now - BEFORE_ANSWER),
    )
    connector_id = command.payload.get("connectorId")
    if connector_id is not None:
        rows = rows.filter(reported_connector_id=connector_id)
    row = rows.select_related("connector").order_by("pk").first()
    return row is not None and _link(row, now)


@transaction.atomic
def _link(row: Transaction, now: datetime) -> bool:
    waiting = Command.objects.filter(station_id=row.station_id, action=START, follow_up=FollowUp.WAITING)
    for command in waiting.order_by("number").select_for_update(no_key=True):
        connector_id = command.payload.get("connectorId")
        fits = fold_id_tag(command.payload["idTag"]) == row.id_tag_folded
        if fits and connector_id in (None, row.reported_connector_id, row.connector.connector_id):
            Transaction.objects.filter(pk=row.pk).update(started_by_command=command)
            complete_follow_up(command_id=command.pk, note=f"transaction {row.transaction_id}", now=now)
            return True
    return False


def complete_stops(*, station_id: int, transaction_id: int, now: datetime) -> None:
    """Complete the remote stops of a transaction that has ended."""
    if not has_follow_up(station_id=station_id, action=STOP):
        return
    if not Transaction.objects.filter(transaction_id=transaction_id, closing=Closing.REPORTED).exists():
        return  # an estimate of ours: the station has not stopped it
    waiting = Command.objects.filter(
        station_id=station_id, action=STOP, follow_up=FollowUp.WAITING, payload__transactionId=transaction_id
    )
    for command_id in waiting.order_by("number").values_list("pk", flat=True):
        complete_follow_up(command_id=command_id, note=f"transaction {transaction_id} has ended", now=now)


def complete_stop_answered(*, command: Command, now: datetime) -> None:
    """Complete an accepted remote stop whose transaction ended before the answer was recorded."""
    ended = Transaction.objects.filter(
        station_id=command.station_id, transaction_id=command.payload["transactionId"], closing=Closing.REPORTED
    )
    if ended.exists():
        note = f"transaction {command.payload['transactionId']} has ended"
        complete_follow_up(command_id=command.pk, note=note, now=now)
