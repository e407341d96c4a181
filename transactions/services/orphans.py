"""Messages about transactions whose id means nothing here: adopted if exactly one fits, else kept for review."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from connectors.models import Connector
from evcharging.events import emit
from id_tags.models import fold_id_tag
from transactions.models import Closing, Mark, OrphanKind, OrphanMessage, OrphanState, Transaction
from transactions.services.closing import ReportedEnd, end_as_reported
from transactions.signals import orphan_adopted
from transactions.types import StopReport


class OrphanAlreadyResolved(Exception):
    """Somebody adopted or dismissed the message before."""


class OrphanDoesNotFit(Exception):
    """The message cannot belong to that transaction; the text says why."""


def adopt_or_keep_stop(
    *, station_id: int, report: StopReport, end: ReportedEnd, payload: Mapping[str, Any]
) -> tuple[Transaction | None, bool]:
    """Return the one transaction the stop must mean, locked, for the caller to end (None where none or several fit),
    and whether the stop was not known yet.

    The stop is recorded either way, once per content: a resend finds its record and changes nothing.
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
    row = _only_fitting(station_id, report, end.at)
    if row is not None:
        orphan.state, orphan.transaction, orphan.resolved_at = OrphanState.ADOPTED, row, end.received_at
        orphan.save(update_fields=["state", "transaction", "resolved_at"])
    return row, True


def _only_fitting(station_id: int, report: StopReport, stopped_at: datetime) -> Transaction | None:
    """Return the station's one transaction awaiting a stop that tag, register and time allow, locked."""
    rows = Transaction.objects.awaiting_stop().filter(station_id=station_id, started_at__lte=stopped_at)
    if report.id_tag is not None:
        rows = rows.filter(id_tag_folded=fold_id_tag(report.id_tag))
    if report.meter_stop is not None:
        rows = rows.filter(Q(meter_start=None) | Q(meter_start__lte=report.meter_stop))
        rows = rows.filter(Q(last_register_wh=None) | Q(last_register_wh__lte=report.meter_stop))
    fitting = list(rows.values_list("pk", "connector_id")[:2])
    if len(fitting) != 1:
        return None
    pk, connector_pk = fitting[0]
    Connector.objects.select_for_update(no_key=True).get(pk=connector_pk)
    locked = Transaction.objects.select_for_update(no_key=True, of=("self",)).select_related("connector", "station")
    return locked.exclude(closing=Closing.REPORTED).filter(pk=pk).first()


@transaction.atomic
def adopt_orphan(*, orphan_id: int, transaction_id: int, resolved_by: str, note: str, now: datetime) -> Transaction:
    """Give a waiting message to a transaction of the same station, for staff.

    A stop ends the transaction if its own stop has not come; meter values join its samples.

    :raises OrphanAlreadyResolved: :raises OrphanDoesNotFit: another station's, or already stopped.
    :raises Transaction.DoesNotExist: no such transaction.
    """
    orphan = _locked_waiting(orphan_id)
    row = Transaction.objects.get(transaction_id=transaction_id)
    Connector.objects.select_for_update(no_key=True).get(pk=row.connector_id)
    row = (
        Transaction.objects.select_for_update(no_key=True, of=("self",))
        .select_related("connector", "station")
        .get(pk=row.pk)
    )
    if row.station_id != orphan.station_id:
        raise OrphanDoesNotFit("the transaction belongs to another station")
    if orphan.kind == OrphanKind.STOP:
        if row.closing == Closing.REPORTED:
            raise OrphanDoesNotFit("the transaction already has its stop")
        row.marks = [*row.marks, Mark.ORPHAN_STOP]
        end_as_reported(
            row,
            ReportedEnd(
                at=orphan.effective_at,
                is_credible=True,
                reported_at=orphan.reported_at,
                received_at=orphan.received_at,
                reason=orphan.stop_reason,
                id_tag=orphan.id_tag,
                meter_stop=orphan.meter_stop,
                digest=orphan.digest,
            ),
        )
    else:
        emit(orphan_adopted, OrphanMessage, orphan=orphan, transaction=row)
    _resolve(orphan, OrphanState.ADOPTED, resolved_by, note, now)
    orphan.transaction = row
    orphan.save()
    return row


@transaction.atomic
def dismiss_orphan(*, orphan_id: int, resolved_by: str, note: str, now: datetime) -> OrphanMessage:
    """Mark a waiting message as needing nothing, for staff; it stays stored.

    :raises OrphanAlreadyResolved:
    """
    orphan = _locked_waiting(orphan_id)
    _resolve(orphan, OrphanState.DISMISSED, resolved_by, note, now)
    orphan.save()
    return orphan


def _locked_waiting(orphan_id: int) -> OrphanMessage:
    orphan = OrphanMessage.objects.select_for_update(no_key=True).get(pk=orphan_id)
    if orphan.state != OrphanState.WAITING:
        raise OrphanAlreadyResolved(f"already {orphan.get_state_display().lower()}")
    return orphan


def _resolve(orphan: OrphanMessage, state: str, resolved_by: str, note: str, now: datetime) -> None:
    orphan.state, orphan.resolved_by, orphan.resolution_note, orphan.resolved_at = state, resolved_by, note, now
