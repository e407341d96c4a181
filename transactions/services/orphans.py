"""Messages whose transaction id matches none: adopted if exactly one transaction fits, else kept for review."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from evcharging.events import emit
from transactions.models import Closing, Mark, OrphanKind, OrphanMessage, OrphanState, Transaction
from transactions.services.closing import ReportedEnd, end_as_reported
from transactions.services.fitting import only_awaiting
from transactions.services.locking import lock_transaction
from transactions.signals import orphan_adopted
from transactions.types import StopReport


class OrphanAlreadyResolved(Exception):
    """Somebody adopted or dismissed the message before."""


class OrphanDoesNotFit(Exception):
    """The message cannot belong to that transaction; the text says why."""


def adopt_or_keep_stop(
    *, station_id: int, report: StopReport, end: ReportedEnd, payload: Mapping[str, Any]
) -> tuple[Transaction | None, bool]:
    """Record a stop whose id matches none, once per content; a resend finds its record and changes nothing.

    :returns: the one transaction that it must mean, locked, for the caller to end, None where none or several fit; and
        whether the stop was not known yet.
    """
    orphan, created = OrphanMessage.objects.get_or_create(
        station_id=station_id,
        kind=OrphanKind.STOP,
        digest=end.digest,
        defaults={
            "transaction_ref": report.transaction_ref[:255],
            "id_tag": end.id_tag,
            "meter_stop": report.meter_stop,
            "stop_reason": report.reason,
            "reported_at": report.reported_at,
            "effective_at": end.at,
            "received_at": end.received_at,
            "last_received_at": end.received_at,
            "payload": payload,
        },
    )
    if not created:
        orphan.count += 1
        orphan.last_received_at = end.received_at
        orphan.save(update_fields=["count", "last_received_at"])
        return None, False
    found = only_awaiting(station_id=station_id, id_tag=report.id_tag, meter_stop=report.meter_stop, stopped_at=end.at)
    row = None if found is None else lock_transaction(pk=found.pk, connector_pk=found.connector_id)
    if row is None or row.closing == Closing.REPORTED:
        return None, True
    orphan.state, orphan.transaction, orphan.resolved_at = OrphanState.ADOPTED, row, end.received_at
    orphan.save(update_fields=["state", "transaction", "resolved_at"])
    return row, True


@transaction.atomic
def adopt_orphan(*, orphan_id: int, transaction_id: int, resolved_by: str, note: str, now: datetime) -> Transaction:
    """Give a waiting message to a transaction of the same station, for staff.

    A stop ends the transaction if its own stop has not come; meter values join its samples.

    :raises OrphanAlreadyResolved: somebody was faster.
    :raises OrphanDoesNotFit: it is another station's, or already stopped.
    :raises Transaction.DoesNotExist: there is none.
    """
    orphan = _locked_waiting(orphan_id)
    found = Transaction.objects.get(transaction_id=transaction_id)
    if found.station_id != orphan.station_id:
        raise OrphanDoesNotFit("the transaction belongs to another station")
    row = adopt_locked(orphan, found, resolved_by=resolved_by, note=note, now=now)
    if row is None:
        raise OrphanDoesNotFit("the transaction already has its stop")
    return row


def adopt_locked(
    orphan: OrphanMessage, found: Transaction, *, resolved_by: str, note: str, now: datetime
) -> Transaction | None:
    """Give a locked waiting message to a transaction; return that, None where its own stop has come meanwhile."""
    row = lock_transaction(pk=found.pk, connector_pk=found.connector_id)
    if orphan.kind == OrphanKind.STOP:
        if row.closing == Closing.REPORTED:
            return None
        row.marks = [*row.marks, Mark.ORPHAN_STOP]
        end_as_reported(row, ReportedEnd.of_orphan(orphan))
    else:
        emit(orphan_adopted, OrphanMessage, orphan=orphan, transaction=row)
    _resolve(orphan, OrphanState.ADOPTED, resolved_by, note, now)
    orphan.transaction = row
    orphan.save()
    return row


@transaction.atomic
def dismiss_orphan(*, orphan_id: int, resolved_by: str, note: str, now: datetime) -> OrphanMessage:
    """Mark a waiting message as needing nothing, for staff; it stays stored.

    :raises OrphanAlreadyResolved: somebody was faster.
    """
    orphan = _locked_waiting(orphan_id)
    _resolve(orphan, OrphanState.DISMISSED, resolved_by, note, now)
    orphan.save()
    return orphan


def lock_waiting(orphan_id: int) -> OrphanMessage | None:
    """Lock a message that still waits and return it; the first lock, before connector and transaction."""
    waiting = OrphanMessage.objects.select_for_update(no_key=True).filter(state=OrphanState.WAITING)
    return waiting.filter(pk=orphan_id).first()


def _locked_waiting(orphan_id: int) -> OrphanMessage:
    orphan = OrphanMessage.objects.select_for_update(no_key=True).get(pk=orphan_id)
    if orphan.state != OrphanState.WAITING:
        raise OrphanAlreadyResolved(f"already {orphan.get_state_display().lower()}")
    return orphan


def _resolve(orphan: OrphanMessage, state: str, resolved_by: str, note: str, now: datetime) -> None:
    orphan.state, orphan.resolved_by, orphan.resolution_note, orphan.resolved_at = state, resolved_by, note, now
