"""Everything that writes status history."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django.db import transaction

from connectors.services.statuses import StatusAt, apply_statuses
from evcharging.db.prepared import columns, run_prepared
from stations.services.connection import OWNED_SQL, newest_epochs
from stations.types import Received
from status_notifications.models import StatusCode
from status_notifications.types import StatusReport

CODES = {code.label: code.value for code in StatusCode}


class StatusMessage(NamedTuple):
    """One StatusNotification (OCPP 1.6 §4.9) as received."""

    received: Received
    report: StatusReport


@transaction.atomic
def record_statuses(*, messages: Sequence[StatusMessage]) -> list[bool]:
    """Store a batch of statuses in one database transaction, with the connectors that they are the latest of.

    Stored twice, a status is there once.

    :returns: for each message whether its connection still owns the station; where not, it is not stored and must not
        be answered.
    """
    received = [message.received for message in messages]
    epochs = newest_epochs(messages=received)
    statuses = [
        _status_at(message) for message in messages if epochs[message.received.station_id] == message.received.epoch
    ]
    owned = _insert(statuses, epochs)
    kept = [status for status in statuses if status.station_id in owned]
    if kept:
        apply_statuses(statuses=kept)
    return [each.station_id in owned and epochs[each.station_id] == each.epoch for each in received]


def _status_at(message: StatusMessage) -> StatusAt:
    received, report = message
    return StatusAt(
        received.station_id,
        report.connector_id,
        received.effective_time(report.reported_at).at,
        report.status,
        report.error_code,
        report.info,
        report.vendor_id,
        report.vendor_error_code,
        report.reported_at,
        received.received_at,
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
    """Store statuses of the stations that connections of these epochs own; return the ids of those stations."""
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
