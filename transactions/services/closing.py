"""Ends of transactions: as a station reports them, and estimates, which a reported end replaces."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Self
from uuid import UUID

from django.db import transaction

from connectors.services.states import set_last_meter_stop
from evcharging.events import publish
from stations.types import Received
from transactions.models import Closing, EstimateCause, Mark, OrphanMessage, Transaction
from transactions.selectors import stale_since
from transactions.signals import transactions_stopped
from transactions.types import Stopped, StopReport


class TransactionNotOpen(Exception):
    """The transaction has already ended."""


@dataclass(frozen=True, slots=True)
class ReportedEnd:
    """What a StopTransaction says about the end of a transaction; `at` is its effective time."""

    at: datetime
    is_credible: bool
    reported_at: datetime | None
    received_at: datetime
    reason: str
    id_tag: str
    meter_stop: Decimal | None
    digest: UUID

    @classmethod
    def of_stop(cls, received: Received, report: StopReport) -> Self:
        """Return the end that a stop tells as it is received."""
        effective = received.effective_time(report.reported_at)
        return cls(
            at=effective.at,
            is_credible=effective.is_credible,
            reported_at=report.reported_at,
            received_at=received.received_at,
            reason=report.reason,
            id_tag=report.id_tag or "",
            meter_stop=report.meter_stop,
            digest=UUID(bytes=report.content_hash),
        )

    @classmethod
    def of_orphan(cls, orphan: OrphanMessage) -> Self:
        """Return the end that a stop tells which was kept for review."""
        return cls(
            at=orphan.effective_at,
            is_credible=orphan.reported_at == orphan.effective_at,
            reported_at=orphan.reported_at,
            received_at=orphan.received_at,
            reason=orphan.stop_reason,
            id_tag=orphan.id_tag,
            meter_stop=orphan.meter_stop,
            digest=orphan.digest,
        )


def end_as_reported(row: Transaction, end: ReportedEnd) -> None:
    """End a locked transaction as its station says and save it; replaces an estimate, which stays recorded.

    Marks a register that ran backwards and an end before the start, and never refuses them (OCPP 1.6 §4.10).
    """
    row.closing = Closing.REPORTED
    row.stopped_at = end.at
    row.stop_reported_at, row.stop_received_at = end.reported_at, end.received_at
    row.stop_reason, row.stop_id_tag, row.stop_digest = end.reason, end.id_tag, end.digest
    row.meter_stop = end.meter_stop
    row.power_w = None
    marks = set(row.marks) - {Mark.MISSING_STOP}
    if end.meter_stop is not None and row.meter_start is not None:
        row.energy_wh = max(end.meter_stop - row.meter_start, Decimal(0))
        if end.meter_stop < row.meter_start:
            marks.add(Mark.METER_REGRESSION)
    if not end.is_credible:
        is_ahead = end.reported_at is not None and end.reported_at > end.received_at
        marks.add(Mark.FUTURE_TIME if is_ahead else Mark.CLOCK_UNSET)
    if end.at < row.started_at:
        marks.add(Mark.CLOCK_UNSET)
    later = Transaction.objects.filter(connector_id=row.connector_id, started_at__gt=row.started_at)
    next_started_at = later.order_by("started_at").values_list("started_at", flat=True).first()
    if next_started_at is not None and next_started_at < end.at:
        marks.add(Mark.OVERLAP)
    row.marks = sorted(marks)
    row.save()
    if end.meter_stop is not None and next_started_at is None:
        set_last_meter_stop(connector=row.connector, meter_stop_wh=end.meter_stop)
    publish_stopped(row)


def estimate_end(row: Transaction, *, cause: str, at: datetime) -> None:
    """Set the estimated end of an unsaved or locked transaction; the caller saves it."""
    row.closing = Closing.ESTIMATED
    row.estimate_cause = cause
    row.stopped_at = row.estimated_stopped_at = at
    row.estimated_energy_wh = row.energy_wh
    row.power_w = None


@transaction.atomic
def close_transaction(*, pk: int, closed_by: str, note: str, now: datetime) -> Transaction:
    """Close an open transaction for staff as of its last reading; the station's stop still replaces that.

    :raises TransactionNotOpen: it has ended already.
    """
    row = Transaction.objects.select_for_update(no_key=True, of=("self",)).get(pk=pk)
    if not row.is_open:
        raise TransactionNotOpen(f"transaction {row.transaction_id} has ended already")
    estimate_end(row, cause=EstimateCause.STAFF, at=_last_known_at(row, now))
    row.closed_by, row.close_note = closed_by, note
    row.marks = sorted({*row.marks, Mark.MISSING_STOP})
    row.save()
    publish_stopped(row)
    return row


@transaction.atomic
def close_stale(*, now: datetime) -> int:
    """Close open transactions without a message for TX_STALE_H hours, as of their last reading; return how many."""
    rows = Transaction.objects.open().filter(last_message_at__lt=stale_since(now))
    closed = 0
    for row in rows.order_by("pk").select_for_update(no_key=True, of=("self",), skip_locked=True):
        estimate_end(row, cause=EstimateCause.STALE, at=_last_known_at(row, now))
        row.marks = sorted({*row.marks, Mark.MISSING_STOP})
        row.save()
        publish_stopped(row)
        closed += 1
    return closed


def _last_known_at(row: Transaction, now: datetime) -> datetime:
    """Return the last instant at which the transaction is known to have run."""
    return min(max(row.last_register_at or row.started_at, row.started_at), now)


def publish_stopped(row: Transaction) -> None:
    """Publish that a transaction has ended."""
    stopped = Stopped(row.pk, row.station_id, row.transaction_id)
    publish(transactions_stopped, Transaction, stopped=[stopped])
