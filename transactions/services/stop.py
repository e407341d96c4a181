"""StopTransaction: the first one ends its transaction, equal ones are the same one, different ones are recorded."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from connectors.models import Connector
from evcharging.events import emit
from id_tags.selectors import authorize
from id_tags.services.unknown_tags import note_unknown_id_tag
from stations.services.connection import owns_station
from stations.timing import effective_time
from transactions.models import Closing, Mark, StopConflict, Transaction
from transactions.services.closing import ReportedEnd, end_as_reported
from transactions.services.orphans import adopt_or_keep_stop
from transactions.services.start import ConnectionSuperseded
from transactions.signals import transaction_data_reported
from transactions.types import StopAnswer, StopReport


@transaction.atomic
def stop_transaction(
    *,
    station_id: int,
    epoch: int,
    report: StopReport,
    payload: Mapping[str, Any],
    received_at: datetime,
    clock_drift_s: float | None,
    is_station_accepted: bool = True,
) -> StopAnswer:
    """Store a stop (OCPP 1.6 §4.10); there is always an answer, also for an id that means nothing here.

    :raises ConnectionSuperseded: a newer connection owns the station.
    """
    if not owns_station(station_id=station_id, epoch=epoch):
        raise ConnectionSuperseded
    stopped = effective_time(reported_at=report.reported_at, received_at=received_at, clock_drift_s=clock_drift_s)
    end = ReportedEnd(
        at=stopped.at,
        is_credible=stopped.is_credible,
        reported_at=report.reported_at,
        received_at=received_at,
        reason=report.reason,
        id_tag=report.id_tag or "",
        meter_stop=report.meter_stop,
        digest=UUID(bytes=report.content_hash),
    )
    row = lock_transaction(station_id=station_id, transaction_id=report.transaction_id)
    if row is not None:
        row.id_seen_at = row.id_seen_at or received_at
    else:
        row, is_new = adopt_or_keep_stop(station_id=station_id, report=report, end=end, payload=payload)
        if row is not None:
            row.marks = [*row.marks, Mark.ORPHAN_STOP]
    if row is not None:
        if not is_station_accepted:
            row.marks = [*row.marks, Mark.NOT_ACCEPTED]
        is_new = _apply(row, end, payload)
    if report.transaction_data and is_new:
        emit(
            transaction_data_reported,
            Transaction,
            transaction=row,
            station_id=station_id,
            connector_id=0 if row is None else row.connector.connector_id,
            transaction_ref=report.transaction_ref,
            readings=report.transaction_data,
            received_at=received_at,
            clock_drift_s=clock_drift_s,
        )
    info = None
    if report.id_tag is not None:
        authorization = authorize(id_tag=report.id_tag, now=received_at)
        info = authorization.told()
        if authorization.tag_id is None:
            note_unknown_id_tag(id_tag=report.id_tag, station_id=station_id, now=received_at)
    return StopAnswer(info, None if row is None else row.transaction_id)


def lock_transaction(*, station_id: int, transaction_id: int | None) -> Transaction | None:
    """Return the station's own transaction of that id, its connector and itself locked; None where it has none."""
    if transaction_id is None:
        return None
    found = Transaction.objects.filter(transaction_id=transaction_id, station_id=station_id)
    connector_pk = found.values_list("connector", flat=True).first()
    if connector_pk is None:
        return None
    # Connector before transaction, as a start does: the other order would deadlock with it.
    Connector.objects.select_for_update(no_key=True).get(pk=connector_pk)
    return found.select_for_update(no_key=True, of=("self",)).select_related("connector").get()


def _apply(row: Transaction, end: ReportedEnd, payload: Mapping[str, Any]) -> bool:
    """Give a stop to its locked transaction; return whether it said anything for the first time."""
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
