"""The state of connectors: created on sight, locked, kept at their latest status."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from connectors.models import Connector
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


def lock_connector(*, station_id: int, connector_id: int) -> Connector:
    """Return the connector, created on sight, locked until the end of the database transaction."""
    connectors = Connector.objects.select_for_update(no_key=True).filter(
        station_id=station_id, connector_id=connector_id
    )
    connector = connectors.first()
    if connector is None:
        Connector.objects.bulk_create(
            [Connector(station_id=station_id, connector_id=connector_id)], ignore_conflicts=True
        )
        connector = connectors.get()
    return connector


def set_last_meter_stop(*, connector: Connector, meter_stop_wh: Decimal) -> None:
    """Remember the register at the end of the latest transaction of a locked connector."""
    connector.last_meter_stop_wh = meter_stop_wh
    connector.save(update_fields=["last_meter_stop_wh"])


def apply_statuses(*, statuses: Iterable[StatusAt]) -> set[int]:
    """Create or update connectors from their statuses; one that is older than the known one changes nothing.

    Among equal effective times the one received later wins. Rows are written in one order, so batches of several
    processes do not deadlock.

    :returns: the stations with a changed connector whose availability is still to follow a command.
    """
    latest: dict[tuple[int, int], StatusAt] = {}
    for status in statuses:
        key = (status.station_id, status.connector_id)
        if key not in latest or status.effective_at >= latest[key].effective_at:
            latest[key] = status
    if not latest:
        return set()
    rows = [latest[key] for key in sorted(latest)]
    changed = run_prepared(
        """
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
        """,
        columns(rows),
    )
    return {station_id for station_id, is_awaited in changed if is_awaited}
