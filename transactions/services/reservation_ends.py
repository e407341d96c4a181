"""What becomes of reservations: as their stations answer, used by a transaction, over."""

from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from stations.models import Command, CommandStatus
from transactions.models import HELD, Reservation, ReservationStatus, Transaction
from transactions.operations import CancelReservation, Reserve

TIDY_BATCH = 500


@transaction.atomic
def apply_reservation_answer(*, command: Command, now: datetime) -> None:
    """Take over what a station answered to a reservation or its cancellation."""
    said = command.said
    if command.operation == Reserve.name:
        _apply_reserve(command, now)
    elif command.succeeded and not command.allows_invalid and isinstance(said, CancelReservation):
        cancelled = _held_before(command, said.reservation_id)
        cancelled.update(status=ReservationStatus.CANCELLED, cancel_command=command, ended_at=now)


def _apply_reserve(command: Command, now: datetime) -> None:
    rows = Reservation.objects.select_for_update(no_key=True)
    row = rows.filter(command=command, status=ReservationStatus.REQUESTED).first()
    if row is None:
        return
    row.result_status = command.result_status
    if command.succeeded:
        _held_before(command, row.reservation_id).update(status=ReservationStatus.REPLACED, ended_at=now)
        row.status = ReservationStatus.ACTIVE
    elif command.status == CommandStatus.TIMED_OUT:
        # The station may hold it all the same: it stays as requested until it expires or is cancelled.
        row.result_status = "no answer"
    else:
        row.status, row.ended_at = ReservationStatus.REFUSED, now
        row.result_status = row.result_status or (command.error or {}).get("code", "")
    row.save()


def _held_before(command: Command, reservation_id: int) -> QuerySet[Reservation]:
    """Return what the station keeps, or may, under an id when it answers a command; it gets them by their numbers."""
    rows = Reservation.objects.filter(station_id=command.station_id, status__in=HELD, reservation_id=reservation_id)
    return rows.filter(command__number__lt=command.number)


def use_reservation(*, transaction: Transaction, parent_id_tag: str, now: datetime) -> Reservation | None:
    """Join a new transaction with the reservation it uses: by the id it names, else by tag, group and connector.

    In the transaction's own database transaction; a reservation is used once.
    """
    here = Reservation.objects.filter(station_id=transaction.station_id).select_for_update(no_key=True)
    row = None
    if transaction.reservation_id is not None:
        # Also one whose time is over here: the start may have waited in its station's queue.
        named = here.filter(reservation_id=transaction.reservation_id, status__in=(*HELD, ReservationStatus.EXPIRED))
        row = named.order_by("-pk").first()
    if row is None:
        # Some stations name none, or always 0.
        is_theirs = Q(id_tag_folded=transaction.id_tag_folded)
        if parent_id_tag:
            is_theirs |= Q(parent_id_tag__iexact=parent_id_tag)
        fitting = here.filter(
            is_theirs,
            status__in=HELD,
            connector_id__in=(0, transaction.reported_connector_id, transaction.connector.connector_id),
            expires_at__gt=now,
        )
        row = fitting.order_by("-connector_id", "created_at").first()
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
