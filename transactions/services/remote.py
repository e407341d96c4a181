"""Remote starts and stops: what may be asked for, and which transaction it led to."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from connectors.models import Connector, ConnectorStatus
from id_tags.models import fold_id_tag
from id_tags.selectors import authorize
from stations.models import Command, CommandStatus, FollowUp
from stations.services.commands import CommandRefused, request_command
from stations.services.follow_ups import complete_follow_up, stations_awaiting
from transactions.charging_rules import BadProfile, check_remote_start_profile
from transactions.models import Closing, EstimateCause, Transaction
from transactions.services.charging_profiles import keep_started_profile, limits_of, next_profile_id
from transactions.types import Started, Stopped

START, STOP = "RemoteStartTransaction", "RemoteStopTransaction"


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
    """Ask a station to start charging for a tag (OCPP 1.6 §5.11); a profile without an id gets a new one.

    :raises CommandRefused: the tag may not charge, the connector is taken, or the profile breaks the rules.
    """
    payload: dict[str, Any] = {"idTag": id_tag}
    if connector_id is not None:
        payload["connectorId"] = connector_id
    if charging_profile is not None:
        # An id that the station has already would replace that profile (OCPP 1.6 §5.16).
        payload["chargingProfile"] = {"chargingProfileId": next_profile_id(station_id), **charging_profile}
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
    whole = Connector.objects.filter(station_id=command.station_id, connector_id=0)
    if whole.filter(status=ConnectorStatus.UNAVAILABLE).exists():
        raise CommandRefused("the station is out of service: it says Unavailable")
    running = Transaction.objects.open().filter(station_id=command.station_id)
    if connector_id is not None and running.filter(connector__connector_id=connector_id).exists():
        raise CommandRefused(f"a transaction is open on connector {connector_id}")
    profile = payload.get("chargingProfile")
    if profile is not None:
        try:
            check_remote_start_profile(profile, connector_id, limits_of(command.station_id))
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


def link_started(*, started: Sequence[Started]) -> int:
    """Join new transactions with the remote starts that led to them, where one did; each once. Return how many."""
    awaiting = stations_awaiting(station_ids=[each.station_id for each in started], action=START)
    return sum(_link(each.pk, each.station_id, each.received_at) for each in started if each.station_id in awaiting)


def link_answered(*, command: Command, now: datetime) -> bool:
    """Join a locked, accepted remote start with its transaction, if that was quicker than the answer."""
    rows = Transaction.objects.filter(
        station_id=command.station_id,
        started_by_command=None,
        id_tag_folded=_tag_of(command),
        start_received_at__gte=command.sent_at or now,
    )
    connector_id = command.payload.get("connectorId")
    if connector_id is not None:
        rows = rows.filter(Q(reported_connector_id=connector_id) | Q(connector__connector_id=connector_id))
    pk = rows.order_by("pk").values_list("pk", flat=True).first()
    return pk is not None and _link(pk, command.station_id, now)


@transaction.atomic
def _link(pk: int, station_id: int, now: datetime) -> bool:
    commands = _awaited(station_id, START)
    rows = Transaction.objects.select_related("connector").select_for_update(no_key=True, of=("self",))
    row = rows.get(pk=pk)
    if row.started_by_command_id is not None or row.estimate_cause == EstimateCause.SUPERSEDED:
        return False  # a superseded one has only now come out of its station's queue
    for command in commands:
        connector_id = command.payload.get("connectorId")
        is_there = connector_id in (None, row.reported_connector_id, row.connector.connector_id)
        if is_there and _tag_of(command) == row.id_tag_folded:
            Transaction.objects.filter(pk=pk).update(started_by_command=command)
            keep_started_profile(command=command, transaction=row, now=now)
            complete_follow_up(command_id=command.pk, note=f"transaction {row.transaction_id}", now=now)
            return True
    return False


def _awaited(station_id: int, action: str) -> list[Command]:
    """Return the accepted commands that still wait for what follows, locked, the oldest first.

    An answer that is being recorded is waited for, so that of the answer and what follows the second sees the first.
    It is locked before the others: whoever records it wants those after it.
    """
    commands = Command.objects.filter(station_id=station_id, action=action).select_for_update(no_key=True)
    list(commands.filter(status=CommandStatus.SENT))
    return list(commands.filter(follow_up=FollowUp.WAITING).order_by("number"))


def _tag_of(command: Command) -> str:
    """Return the folded tag; staff may have insisted on a payload without one."""
    return fold_id_tag(str(command.payload.get("idTag", "")))


def complete_stops(*, stopped: Sequence[Stopped], now: datetime) -> None:
    """Complete the remote stops of transactions that their stations stopped; an estimate of ours stopped nothing."""
    awaiting = stations_awaiting(station_ids=[each.station_id for each in stopped], action=STOP)
    for each in stopped:
        if each.station_id in awaiting:
            _complete_stops_of(each, now)


@transaction.atomic
def _complete_stops_of(stopped: Stopped, now: datetime) -> None:
    commands = _awaited(stopped.station_id, STOP)
    if _is_stopped(stopped.station_id, stopped.transaction_id):
        for command in commands:
            if command.payload.get("transactionId") == stopped.transaction_id:
                _complete_stop(command, now)


def complete_stop_answered(*, command: Command, now: datetime) -> None:
    """Complete an accepted remote stop whose transaction ended before the answer was recorded."""
    if _is_stopped(command.station_id, command.payload.get("transactionId")):
        _complete_stop(command, now)


def _is_stopped(station_id: int, transaction_id: object) -> bool:
    rows = Transaction.objects.filter(station_id=station_id, closing=Closing.REPORTED)
    return isinstance(transaction_id, int) and rows.filter(transaction_id=transaction_id).exists()


def _complete_stop(command: Command, now: datetime) -> None:
    note = f"transaction {command.payload['transactionId']} has ended"
    complete_follow_up(command_id=command.pk, note=note, now=now)
