"""Reservations: asked for, kept from clashing, asked to be given up."""

from datetime import UTC, datetime
from typing import Any

from django.db import connection

from connectors.models import Connector
from evcharging.db.advisory_locks import lock_reservations_of
from id_tags.models import IdTag, fold_id_tag
from stations.models import Command
from stations.services.commands import CommandRefused, request_command
from transactions.charging_rules import read_instant
from transactions.models import HELD, Reservation, Transaction


def request_reservation(
    *,
    station_id: int,
    connector_id: int,
    id_tag: str,
    expires_at: datetime,
    requested_by: str,
    via: str,
    now: datetime,
    reason: str = "",
    waits_s: float = 0,
) -> Command:
    """Ask a station to keep a connector, or with 0 any one, for a tag (OCPP 1.6 §5.13), under a new reservation id.

    :raises CommandRefused: it clashes with another, the connector is taken, or our rules forbid it.
    """
    payload: dict[str, Any] = {
        "connectorId": connector_id,
        "expiryDate": f"{expires_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "idTag": id_tag,
        "reservationId": _next_id(station_id),
    }
    tag = IdTag.objects.select_related("group").filter(id_tag_folded=fold_id_tag(id_tag)).first()
    if tag is not None and tag.group is not None and len(tag.group.parent_id_tag) <= 20:
        payload["parentIdTag"] = tag.group.parent_id_tag
    return request_command(
        station_id=station_id,
        action="ReserveNow",
        payload=payload,
        requested_by=requested_by,
        via=via,
        now=now,
        reason=reason,
        waits_s=waits_s,
    )


def request_cancel_reservation(
    *, reservation_pk: int, requested_by: str, via: str, now: datetime, reason: str = ""
) -> Command:
    """Ask the station to give up a reservation (OCPP 1.6 §5.1).

    :raises CommandRefused: :raises Reservation.DoesNotExist:
    """
    row = Reservation.objects.get(pk=reservation_pk)
    return request_command(
        station_id=row.station_id,
        action="CancelReservation",
        payload={"reservationId": row.reservation_id},
        requested_by=requested_by,
        via=via,
        now=now,
        reason=reason,
    )


def keep_reservation(*, command: Command, now: datetime) -> None:
    """Write the reservation that a ReserveNow asks for; once accepted it replaces that of its id (OCPP 1.6 §5.13).

    :raises CommandRefused: it has expired already, clashes, or somebody charges there.
    """
    payload = command.payload
    connector_id, reservation_id = payload["connectorId"], payload["reservationId"]
    expires_at = read_instant(payload["expiryDate"])
    if expires_at is None:
        raise CommandRefused(f"the expiry date is no time that can be kept: {payload['expiryDate']}")
    if expires_at <= now:
        raise CommandRefused("the reservation would have expired already")
    if not 0 < reservation_id < 2**31:
        raise CommandRefused("a reservation's id is a positive number of 31 bits")
    station_id = command.station_id
    lock_reservations_of(station_id)
    others = Reservation.objects.held_at(now).filter(station_id=station_id).exclude(reservation_id=reservation_id)
    _refuse_clash(station_id, connector_id, fold_id_tag(payload["idTag"]), list(others))
    Reservation.objects.create(
        station_id=station_id,
        reservation_id=reservation_id,
        connector_id=connector_id,
        id_tag=payload["idTag"],
        parent_id_tag=payload.get("parentIdTag", ""),
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
    """Hold a CancelReservation to a reservation that the station may have.

    :raises CommandRefused:
    """
    known = Reservation.objects.filter(
        station_id=command.station_id, reservation_id=command.payload["reservationId"], status__in=HELD
    )
    if not known.exists():
        raise CommandRefused(f"the station has no reservation {command.payload['reservationId']}")
    known.update(cancel_command=command)


def _next_id(station_id: int) -> int:
    """Return a reservation id that the station does not know yet: staff may have sent any by hand."""
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT nextval('transactions_reservation_id_seq')")
            (number,) = cursor.fetchone()
        if not Reservation.objects.filter(station_id=station_id, reservation_id=number).exists():
            return int(number)
