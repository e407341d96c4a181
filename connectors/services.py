"""Everything that writes connectors."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from connectors.models import Connector
from evcharging.db.prepared import columns, run_prepared
from stations.models import Command
from stations.services import CommandRefused, complete_follow_up, request_command


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


def set_last_meter_stop(*, connector: Connector, meter_stop_wh: int) -> None:
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


def request_change_availability(
    *,
    station_id: int,
    connector_id: int,
    availability: str,
    requested_by: str,
    via: str,
    now: datetime,
    reason: str = "",
    waits_s: float = 0,
) -> Command:
    """Ask a station to take a connector, or with 0 the whole station, into or out of service (OCPP 1.6 §5.2).

    :raises CommandRefused:
    """
    return request_command(
        station_id=station_id,
        action="ChangeAvailability",
        payload={"connectorId": connector_id, "type": availability},
        requested_by=requested_by,
        via=via,
        now=now,
        reason=reason,
        waits_s=waits_s,
    )


def request_unlock_connector(
    *, station_id: int, connector_id: int, requested_by: str, via: str, now: datetime, reason: str = ""
) -> Command:
    """Ask a station to unlock a cable (OCPP 1.6 §5.18); a transaction on it ends with UnlockCommand.

    :raises CommandRefused:
    """
    return request_command(
        station_id=station_id,
        action="UnlockConnector",
        payload={"connectorId": connector_id},
        requested_by=requested_by,
        via=via,
        now=now,
        reason=reason,
    )


def check_connector_of_command(command: Command) -> None:
    """Refuse connectors that no station has, and to unlock what has no cable.

    :raises CommandRefused:
    """
    connector_id = command.payload.get("connectorId")
    if command.allows_invalid or connector_id is None:
        return
    if not 0 <= connector_id < 2**31:
        raise CommandRefused(f"there is no connector {connector_id}: they are numbered from 1, and 0 is the station")
    if command.action == "UnlockConnector" and connector_id < 1:
        raise CommandRefused("connector 0 is the station itself: there is no cable to unlock")


@transaction.atomic
def want_availability(*, command: Command, now: datetime) -> None:
    """Remember what an accepted or scheduled ChangeAvailability is to lead to; done where the status shows it already.

    With connector 0 it is meant for every connector (OCPP 1.6 §5.2); what an earlier command wanted is given up.
    """
    connector_id, wanted = command.payload.get("connectorId"), command.payload.get("type", "")
    if not isinstance(connector_id, int) or connector_id < 0:
        return
    lock_connector(station_id=command.station_id, connector_id=connector_id)
    rows = Connector.objects.filter(station_id=command.station_id)
    if connector_id:
        rows = rows.filter(connector_id=connector_id)
    for row in rows.order_by("connector_id").select_for_update(no_key=True):
        if row.availability_command_id is not None and row.availability_command_id != command.pk:
            complete_follow_up(
                command_id=row.availability_command_id, note="another change followed", now=now, is_done=False
            )
        row.wanted_availability, row.availability_command = wanted, command
        row.save(update_fields=["wanted_availability", "availability_command"])
    settle_availability(station_ids=[command.station_id], now=now)


def settle_availability(*, station_ids: Iterable[int], now: datetime) -> None:
    """Complete the availability changes that the latest statuses show: of the connector named, or of all of them.

    Connector 0 may never tell a status of its own; the others then speak for it.
    """
    pending = Connector.objects.filter(station_id__in=list(station_ids), availability_command__isnull=False)
    by_command: dict[UUID, list[Connector]] = {}
    for row in pending.order_by("station_id", "connector_id").select_for_update(no_key=True):
        assert row.availability_command_id is not None
        by_command.setdefault(row.availability_command_id, []).append(row)
    for command_id, rows in by_command.items():
        telling = [row for row in rows if row.status] if len(rows) > 1 else rows
        if not telling or not all(row.shows_wanted_availability for row in telling):
            continue
        Connector.objects.filter(pk__in=[row.pk for row in rows]).update(availability_command=None)
        complete_follow_up(command_id=command_id, note=f"shown as {telling[-1].status}", now=now)
