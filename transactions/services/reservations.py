"""Reservations: asked for, kept from clashing, asked to be given up."""

from datetime import UTC, datetime

from django.db import connection

from connectors.models import Connector
from evcharging.db.advisory_locks import lock_reservations_of
from id_tags.models import IdTag, fold_id_tag
from stations.dialects import dialect_of
from stations.models import Command, Station
from stations.services.commands import CommandRefused, request_command
from stations.types import Origin
from transactions.charging_rules import read_instant
from transactions.models import HELD, Reservation, Transaction
from transactions.operations import CancelReservation, Reserve


def request_reservation(
    *,
    station_id: int,
    connector_id: int,
    id_tag: str,
    expires_at: datetime,
    origin: Origin,
) -> Command:
    """Ask a station to keep a connector, or with 0 any one, for a tag (OCPP 1.6 §5.13), under a new reservation id.

    :raises CommandRefused: it clashes with another, the connector is taken, or our rules forbid it.
    """
    tag = IdTag.objects.select_related("group").filter(id_tag_folded=fold_id_tag(id_tag)).first()
    group = None if tag is None or tag.group is None else tag.group.parent_id_tag
    longest = dialect_of(Station.objects.get(pk=station_id).version).max_id_tag
    operation = Reserve(
        reservation_id=_next_id(station_id),
        connector_id=connector_id,
        id_tag=id_tag,
        expires_at=f"{expires_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        group_id_tag=group if group is not None and len(group) <= longest else None,
    )
    return request_command(station_id=station_id, operation=operation, origin=origin)


def keep_reservation(*, command: Command, now: datetime) -> None:
    """Write the reservation that a command asks for; once accepted it replaces that of its id (OCPP 1.6 §5.13).

    :raises CommandRefused: it has expired already, clashes, or somebody charges there.
    """
    said = command.said
    assert isinstance(said, Reserve)
    connector_id, reservation_id = said.connector_id, said.reservation_id
    expires_at = read_instant(said.expires_at)
    if expires_at is None:
        raise CommandRefused(f"the expiry date is no time that can be kept: {said.expires_at}")
    if expires_at <= now:
        raise CommandRefused("the reservation would have expired already")
    if not 0 < reservation_id < 2**31:
        raise CommandRefused("a reservation's id is a positive number of 31 bits")
    station_id = command.station_id
    lock_reservations_of(station_id)
    others = Reservation.objects.held_at(now).filter(station_id=station_id).exclude(reservation_id=reservation_id)
    _refuse_clash(station_id, connector_id, fold_id_tag(said.id_tag), list(others))
    Reservation.objects.create(
        station_id=station_id,
        reservation_id=reservation_id,
        connector_id=connector_id,
        id_tag=said.id_tag,
        parent_id_tag=said.group_id_tag or "",
        expires_at=expires_at,
        command=command,
        created_by=command.requested_by,
        created_at=now,
    )


def _refuse_clash(station_id: int, connector_id: int, folded: str, others: list[Reservation]) -> None:
    if any(other.id_tag_folded == folded for other in others):
        raise CommandRefused("the tag has a reservation at this station already")
    outlets = set(
        Connector.objects.filter(station_id=station_id, connector_id__gt=0).values_list("connector_id", flat=True)
    )
    running = Transaction.objects.open().filter(station_id=station_id)
    taken = set(running.values_list("connector__connector_id", flat=True))
    taken |= {other.connector_id for other in others if other.connector_id}
    if connector_id:
        if connector_id in taken:
            raise CommandRefused(f"connector {connector_id} is taken or reserved")
        free = outlets - taken - {connector_id}
    else:
        free = outlets - taken
    # Every reservation of "any connector" needs one that is left.
    floating = sum(not other.connector_id for other in others) + (0 if connector_id else 1)
    if outlets and floating > len(free):
        raise CommandRefused("every connector is taken or reserved")


def check_cancellation(*, command: Command) -> None:
    """Hold a cancellation to a reservation that the station may have.

    :raises CommandRefused:
    """
    said = command.said
    assert isinstance(said, CancelReservation)
    known = Reservation.objects.filter(
        station_id=command.station_id, reservation_id=said.reservation_id, status__in=HELD
    )
    if not known.exists():
        raise CommandRefused(f"the station has no reservation {said.reservation_id}")
    known.update(cancel_command=command)


def _next_id(station_id: int) -> int:
    """Return a reservation id that the station does not know yet: staff may have sent any by hand."""
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT nextval('transactions_reservation_id_seq')")
            (number,) = cursor.fetchone()
        if not Reservation.objects.filter(station_id=station_id, reservation_id=number).exists():
            return int(number)
