"""Reservations: asked for, kept from clashing, used by the transaction they were made for, given up."""

from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Q

from connectors.models import Connector
from id_tags.models import IdTag, fold_id_tag
from stations.models import Command, CommandStatus
from stations.services import CommandRefused, request_command
from transactions.models import HELD, Reservation, ReservationStatus, Transaction

TIDY_BATCH = 500


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
    """Write the reservation that a ReserveNow asks for; the same id again replaces it (OCPP 1.6 §5.13).

    :raises CommandRefused: it has expired already, clashes, or somebody charges there.
    """
    payload = command.payload
    connector_id, reservation_id = payload["connectorId"], payload["reservationId"]
    expires_at = datetime.fromisoformat(payload["expiryDate"])
    if expires_at <= now:
        raise CommandRefused("the reservation would have expired already")
    if not 0 < reservation_id < 2**31:
        raise CommandRefused("a reservation's id is a positive number of 31 bits")
    station_id = command.station_id
    others = Reservation.objects.held_at(now).filter(station_id=station_id).exclude(reservation_id=reservation_id)
    _refuse_clash(station_id, connector_id, fold_id_tag(payload["idTag"]), list(others))
    Reservation.objects.update_or_create(
        station_id=station_id,
        reservation_id=reservation_id,
        defaults={
            "connector_id": connector_id,
            "id_tag": payload["idTag"],
            "parent_id_tag": payload.get("parentIdTag", ""),
            "expires_at": expires_at,
            "status": ReservationStatus.REQUESTED,
            "result_status": "",
            "command": command,
            "cancel_command": None,
            "transaction": None,
            "created_by": command.requested_by,
            "created_at": now,
            "ended_at": None,
        },
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


@transaction.atomic
def apply_reservation_answer(*, command: Command, now: datetime) -> None:
    """Take over what a station answered to ReserveNow or CancelReservation."""
    rows = Reservation.objects.select_for_update(no_key=True)
    if command.action == "ReserveNow":
        row = rows.filter(command=command, status=ReservationStatus.REQUESTED).first()
        if row is None:
            return
        row.result_status = command.result_status
        if command.succeeded:
            row.status = ReservationStatus.ACTIVE
        elif command.status == CommandStatus.TIMED_OUT:
            # The station may hold it all the same: it stays as requested until it expires or is cancelled.
            row.result_status = "no answer"
        else:
            row.status, row.ended_at = ReservationStatus.REFUSED, now
        row.save()
    elif command.action == "CancelReservation" and command.succeeded:
        row = rows.filter(cancel_command=command, status__in=HELD).first()
        if row is not None:
            row.status, row.ended_at = ReservationStatus.CANCELLED, now
            row.save()


def use_reservation(*, transaction: Transaction, parent_id_tag: str, now: datetime) -> Reservation | None:
    """Join a new transaction with the reservation it uses: by the id it names, else by tag, group and connector.

    In the transaction's own database transaction; a reservation is used once.
    """
    held = Reservation.objects.filter(station_id=transaction.station_id, status__in=HELD)
    if transaction.reservation_id is not None:
        rows = held.filter(reservation_id=transaction.reservation_id)
    else:
        is_theirs = Q(id_tag_folded=transaction.id_tag_folded)
        if parent_id_tag:
            is_theirs |= Q(parent_id_tag__iexact=parent_id_tag)
        rows = held.filter(is_theirs, connector_id__in=(0, transaction.reported_connector_id), expires_at__gt=now)
    row = rows.order_by("-connector_id", "created_at").select_for_update(no_key=True).first()
    if row is not None:
        row.status, row.transaction, row.ended_at = ReservationStatus.USED, transaction, now
        row.save(update_fields=["status", "transaction", "ended_at"])
    return row


@transaction.atomic
def expire_reservations(*, now: datetime) -> int:
    """End reservations whose time is over; return how many."""
    rows = Reservation.objects.filter(status__in=HELD, expires_at__lte=now)
    ids = [row.pk for row in rows.order_by("expires_at").select_for_update(no_key=True, skip_locked=True)[:TIDY_BATCH]]
    return Reservation.objects.filter(pk__in=ids).update(status=ReservationStatus.EXPIRED, ended_at=now)


def _next_id(station_id: int) -> int:
    """Return a reservation id that the station does not know yet: staff may have sent any by hand."""
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT nextval('transactions_reservation_id_seq')")
            (number,) = cursor.fetchone()
        if not Reservation.objects.filter(station_id=station_id, reservation_id=number).exists():
            return int(number)
