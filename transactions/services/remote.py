"""Remote starts and stops: what may be asked for, and which transaction it led to."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from connectors.models import Connector, ConnectorStatus
from id_tags.models import fold_id_tag
from id_tags.selectors import authorize
from stations.models import Command, CommandStatus, ExpectedEffect
from stations.services.commands import CommandRefused, request_command
from stations.services.expected_effects import complete_effect, stations_awaiting
from stations.types import Origin
from transactions.charging_rules import BadProfile, check_remote_start_profile
from transactions.models import Closing, EstimateCause, Transaction
from transactions.operations import StartCharging, StopCharging
from transactions.selectors import with_ref
from transactions.services.charging_profiles import ProfileDraft, completed, keep_started_profile, limits_of
from transactions.types import Started, Stopped

START, STOP = StartCharging.name, StopCharging.name


def request_remote_start(
    *,
    station_id: int,
    id_tag: str,
    connector_id: int | None,
    origin: Origin,
    profile: ProfileDraft | None = None,
) -> Command:
    """Ask a station to start charging for a tag (OCPP 1.6 §5.11); a profile without an id gets a new one.

    :raises CommandRefused: the tag may not charge, the connector is taken, or the profile breaks the rules.
    """
    sent = None if profile is None else completed(profile, station_id)
    operation = StartCharging(id_tag=id_tag, connector_id=connector_id, profile=sent)
    return request_command(station_id=station_id, operation=operation, origin=origin)


def check_remote_start(*, command: Command, now: datetime) -> None:
    """Hold a remote start to the rules (OCPP 1.6 §5.11).

    :raises CommandRefused:
    """
    said = command.said
    assert isinstance(said, StartCharging)
    status = authorize(id_tag=said.id_tag, now=now).status
    if status != "Accepted":
        raise CommandRefused(f"the tag may not charge: {status}")
    connector_id = said.connector_id
    if connector_id is not None and connector_id < 1:
        raise CommandRefused("a remote start's connector is above 0 (OCPP 1.6 §5.11)")
    whole = Connector.objects.filter(station_id=command.station_id, connector_id=0)
    if whole.filter(status=ConnectorStatus.UNAVAILABLE).exists():
        raise CommandRefused("the station is out of service: it says Unavailable")
    running = Transaction.objects.open().filter(station_id=command.station_id)
    if connector_id is not None and running.filter(connector__connector_id=connector_id).exists():
        raise CommandRefused(f"a transaction is open on connector {connector_id}")
    if said.profile is not None:
        try:
            check_remote_start_profile(said.profile, connector_id, limits_of(command.station))
        except BadProfile as error:
            raise CommandRefused(str(error)) from None


def check_remote_stop(*, command: Command) -> None:
    """Hold a remote stop to an open transaction of that very station.

    :raises CommandRefused:
    """
    said = command.said
    assert isinstance(said, StopCharging)
    row = with_ref(command.station_id, said.transaction_ref).first()
    if row is None:
        raise CommandRefused(f"the station has no transaction {said.transaction_ref}")
    if row.closing == Closing.REPORTED:
        raise CommandRefused(f"transaction {said.transaction_ref} has ended already")


def link_started(*, started: Sequence[Started]) -> int:
    """Join new transactions with the remote starts that led to them, where one did; each once. Return how many."""
    awaiting = stations_awaiting(station_ids=[each.station_id for each in started], operation=START)
    return sum(_link(each.pk, each.station_id, each.received_at) for each in started if each.station_id in awaiting)


def link_answered(*, command: Command, now: datetime) -> bool:
    """Join a locked, accepted remote start with its transaction, if that was quicker than the answer."""
    said = command.said
    if not isinstance(said, StartCharging):
        return False
    rows = Transaction.objects.filter(
        station_id=command.station_id,
        started_by_command=None,
        id_tag_folded=fold_id_tag(said.id_tag),
        start_received_at__gte=command.sent_at or now,
    )
    connector_id = said.connector_id
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
        said = command.said
        if not isinstance(said, StartCharging):
            continue
        is_there = said.connector_id in (None, row.reported_connector_id, row.connector.connector_id)
        if is_there and fold_id_tag(said.id_tag) == row.id_tag_folded:
            Transaction.objects.filter(pk=pk).update(started_by_command=command)
            keep_started_profile(command=command, transaction=row, now=now)
            complete_effect(command_id=command.pk, note=f"transaction {row.transaction_id}", now=now)
            return True
    return False


def _awaited(station_id: int, operation: str) -> list[Command]:
    """Return the accepted commands that still wait for what follows, locked, the oldest first.

    An answer that is being recorded is waited for, so that of the answer and what follows the second sees the first.
    It is locked before the others: whoever records it wants those after it.
    """
    commands = Command.objects.filter(station_id=station_id, operation=operation).select_for_update(no_key=True)
    list(commands.filter(status=CommandStatus.SENT))
    return list(commands.filter(expected_effect=ExpectedEffect.WAITING).order_by("number"))


def complete_stops(*, stopped: Sequence[Stopped], now: datetime) -> None:
    """Complete the remote stops of transactions that their stations stopped; an estimate of ours stopped nothing."""
    awaiting = stations_awaiting(station_ids=[each.station_id for each in stopped], operation=STOP)
    for each in stopped:
        if each.station_id in awaiting:
            _complete_stops_of(each, now)


@transaction.atomic
def _complete_stops_of(stopped: Stopped, now: datetime) -> None:
    commands = _awaited(stopped.station_id, STOP)
    ref = str(stopped.transaction_id)
    if _is_stopped(stopped.station_id, ref):
        for command in commands:
            if _ref_of(command) == ref:
                _complete_stop(command, ref, now)


def complete_stop_answered(*, command: Command, now: datetime) -> None:
    """Complete an accepted remote stop whose transaction ended before the answer was recorded."""
    ref = _ref_of(command)
    if _is_stopped(command.station_id, ref):
        _complete_stop(command, ref, now)


def _ref_of(command: Command) -> str:
    """Return the transaction that a remote stop names, "" of a raw frame."""
    said = command.said
    return said.transaction_ref if isinstance(said, StopCharging) else ""


def _is_stopped(station_id: int, ref: str) -> bool:
    return with_ref(station_id, ref).filter(closing=Closing.REPORTED).exists()


def _complete_stop(command: Command, ref: str, now: datetime) -> None:
    complete_effect(command_id=command.pk, note=f"transaction {ref} has ended", now=now)
