"""The latest status of connectors, and the availability changes that it completes."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from connectors.services.availability import settle_availability
from evcharging.db.prepared import columns, run_prepared


class StatusAt(NamedTuple):
    """One connector's status at an effective time."""

    station_id: int
    connector_id: int
    effective_at: datetime
    status: str
    error_code: str
    info: str
    vendor_id: str
    vendor_error_code: str
    reported_at: datetime | None
    received_at: datetime


def apply_statuses(*, statuses: Sequence[StatusAt]) -> None:
    """Create or update connectors by their statuses, and complete the availability changes that these show.

    Part of the database transaction that stores the history. A status older than the known one changes nothing; of
    equal effective times the one received later counts. Rows are written in one order, so that batches of several
    processes do not deadlock.
    """
    latest: dict[tuple[int, int], StatusAt] = {}
    for status in statuses:
        key = (status.station_id, status.connector_id)
        if key not in latest or status.effective_at >= latest[key].effective_at:
            latest[key] = status
    if not latest:
        return
    changed = run_prepared(_UPSERT_SQL, columns([latest[key] for key in sorted(latest)]))
    awaited = {station_id for station_id, is_awaited in changed if is_awaited}
    if awaited:
        settle_availability(station_ids=awaited, now=max(status.received_at for status in statuses))


_UPSERT_SQL = """
    INSERT INTO connectors_connector AS c
        (station_id, connector_id, label, wanted_availability, status_at, status, error_code, info, vendor_id,
         vendor_error_code, status_reported_at, status_received_at)
    SELECT v.station_id, v.connector_id, '', '', v.effective_at, v.status, v.error_code, v.info, v.vendor_id,
           v.vendor_error_code, v.reported_at, v.received_at
    FROM unnest(%s::bigint[], %s::int[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[],
                %s::text[], %s::timestamptz[], %s::timestamptz[])
        AS v(station_id, connector_id, effective_at, status, error_code, info, vendor_id, vendor_error_code,
             reported_at, received_at)
    ON CONFLICT (station_id, connector_id) DO UPDATE SET
        status_at = excluded.status_at, status = excluded.status, error_code = excluded.error_code,
        info = excluded.info, vendor_id = excluded.vendor_id, vendor_error_code = excluded.vendor_error_code,
        status_reported_at = excluded.status_reported_at, status_received_at = excluded.status_received_at
    WHERE c.status_at IS NULL OR c.status_at <= excluded.status_at
    RETURNING c.station_id, c.availability_command_id IS NOT NULL
"""
