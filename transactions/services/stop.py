"""StopTransaction: the first ends its transaction, an equal one is a resend, a different one a recorded conflict."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from evcharging.events import emit
from id_tags.services.presented_tags import authorize_presented
from stations.services.connection import owns_station
from stations.types import Received
from transactions.models import Closing, Mark, StopConflict, Transaction
from transactions.services.closing import ReportedEnd, end_as_reported
from transactions.services.locking import lock_transaction
from transactions.services.orphans import adopt_or_keep_stop
from transactions.services.start import ConnectionSuperseded
from transactions.signals import transaction_data_reported
from transactions.types import StopAnswer, StopReport


@transaction.atomic
def stop_transaction(*, received: Received, report: StopReport, payload: Mapping[str, Any]) -> StopAnswer:
    """Store a stop (OCPP 1.6 §4.10); there is always an answer, also for an id that means nothing here.

    :raises ConnectionSuperseded: a newer connection owns the station.
    """
    station_id, received_at = received.station_id, received.received_at
    if not owns_station(station_id=station_id, epoch=received.epoch):
        raise ConnectionSuperseded
    end = ReportedEnd.of_stop(received, report)
    row = _lock_named(station_id, report.transaction_id)
    if row is not None:
        row.id_seen_at = row.id_seen_at or received_at
    else:
        row, is_new = adopt_or_keep_stop(station_id=station_id, report=report, end=end, payload=payload)
        if row is not None:
            row.marks = [*row.marks, Mark.ORPHAN_STOP]
    if row is not None:
        if not received.is_station_accepted:
            row.marks = [*row.marks, Mark.NOT_ACCEPTED]
        is_new = _apply(row, end, payload)
    if report.transaction_data and is_new:
        emit(
            transaction_data_reported,
            Transaction,
            transaction=row,
            received=received,
            connector_id=0 if row is None else row.connector.connector_id,
            transaction_ref=report.transaction_ref,
            readings=report.transaction_data,
        )
    info = None
    if report.id_tag is not None:
        info = authorize_presented(id_tag=report.id_tag, station_id=station_id, now=received_at).told()
    return StopAnswer(info, None if row is None else row.transaction_id)


def _lock_named(station_id: int, transaction_id: int | None) -> Transaction | None:
    """Return the station's own transaction of that id, locked with its connector; None where it has none."""
    if transaction_id is None:
        return None
    rows = Transaction.objects.filter(transaction_id=transaction_id, station_id=station_id)
    found = rows.values_list("pk", "connector_id").first()
    return None if found is None else lock_transaction(pk=found[0], connector_pk=found[1])


def _apply(row: Transaction, end: ReportedEnd, payload: Mapping[str, Any]) -> bool:
    """Apply a stop to its locked transaction, or record what it says differently; return whether it is no resend."""
    row.last_message_at = max(row.last_message_at, end.received_at)
    if row.closing != Closing.REPORTED:
        end_as_reported(row, end)
        return True
    row.save(update_fields=["last_message_at", "id_seen_at"])
    if row.stop_digest == end.digest:
        return False
    _, is_new = StopConflict.objects.get_or_create(
        transaction=row,
        digest=end.digest,
        defaults={
            "meter_stop": end.meter_stop,
            "stop_reason": end.reason,
            "reported_at": end.reported_at,
            "payload": payload,
            "received_at": end.received_at,
        },
    )
    return is_new
