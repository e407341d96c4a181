"""Everything that writes status history."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import transaction

from connectors.services.states import StatusAt
from evcharging.db.prepared import columns, run_prepared
from evcharging.events import emit
from stations.services.connection import OWNED_SQL, newest_epochs
from stations.timing import effective_time
from status_notifications.models import StatusCode, StatusNotification
from status_notifications.signals import statuses_stored
from status_notifications.types import StatusReport

CODES = {code.label: code.value for code in StatusCode}


class StatusMessage(NamedTuple):
    """One StatusNotification (OCPP 1.6 §4.9) as received."""

    station_id: int
    epoch: int
    report: StatusReport
    received_at: datetime
    clock_drift_s: float | None


@transaction.atomic
def record_statuses(*, messages: Sequence[StatusMessage]) -> list[bool]:
    """Store a batch of statuses in one database transaction; return for each whether its connection still owns the
    station (where not, it is not stored and must not be answered).

    Sends `statuses_stored`, so that connectors stand or fall with their history. Stored twice, a status is there once.
    """
    epochs = newest_epochs(messages=messages)
    newest = [message for message in messages if epochs[message.station_id] == message.epoch]
    statuses = [_status_at(message) for message in newest]
    owned = _insert(statuses, epochs)
    kept = [status for status in statuses if status.station_id in owned]
    if kept:
        emit(statuses_stored, StatusNotification, statuses=kept)
    return [message.station_id in owned and epochs[message.station_id] == message.epoch for message in messages]


def _status_at(message: StatusMessage) -> StatusAt:
    report = message.report
    effective = effective_time(
        reported_at=report.reported_at, received_at=message.received_at, clock_drift_s=message.clock_drift_s
    )
    return StatusAt(
        message.station_id,
        report.connector_id,
        effective.at,
        report.status,
        report.error_code,
        report.info,
        report.vendor_id,
        report.vendor_error_code,
        report.reported_at,
        message.received_at,
    )


_COLUMNS = """
    effective_at, received_at, reported_at, station_id, connector_id, status, other_status, error_code, info,
    vendor_id, vendor_error_code
"""

_INSERT = f"""
    WITH {OWNED_SQL},
    stored AS (
        INSERT INTO status_notifications ({_COLUMNS})
        SELECT {_COLUMNS}
        FROM unnest(%s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::bigint[], %s::int[], %s::smallint[],
                    %s::text[], %s::text[], %s::text[], %s::text[], %s::text[]) AS v({_COLUMNS})
        WHERE CASE WHEN station_id IN (SELECT id FROM owned) THEN true END
        ORDER BY station_id, connector_id, effective_at
        ON CONFLICT DO NOTHING
    )
    SELECT id FROM owned
"""


def _insert(statuses: Sequence[StatusAt], epochs: Mapping[int, int]) -> set[int]:
    """Store statuses of the stations that connections of these epochs own; return which those are."""
    rows = [
        (
            status.effective_at,
            status.received_at,
            None if status.reported_at == status.effective_at else status.reported_at,
            status.station_id,
            status.connector_id,
            CODES.get(status.status, StatusCode.OTHER.value),
            "" if status.status in CODES else status.status,
            status.error_code,
            status.info,
            status.vendor_id,
            status.vendor_error_code,
        )
        for status in statuses
    ]
    owned = run_prepared(_INSERT, [list(epochs), list(epochs.values()), *columns(rows)])
    return {station_id for (station_id,) in owned}
