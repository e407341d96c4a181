"""Availability of connectors: what commands may ask for, and when the statuses show it."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import transaction

from connectors.models import Connector
from connectors.operations import ChangeAvailability, UnlockConnector
from connectors.services.states import lock_connector
from stations.models import Command
from stations.services.commands import CommandRefused
from stations.services.expected_effects import complete_effect


def check_connector_of_command(command: Command) -> None:
    """Refuse connectors that no station has, and to unlock what has no cable.

    :raises CommandRefused:
    """
    said = None if command.allows_invalid else command.said
    connector_id = getattr(said, "connector_id", None)
    if connector_id is None:
        return
    if not 0 <= connector_id < 2**31:
        raise CommandRefused(f"there is no connector {connector_id}: they are numbered from 1, and 0 is the station")
    if isinstance(said, UnlockConnector) and connector_id < 1:
        raise CommandRefused("connector 0 is the station itself: there is no cable to unlock")


@transaction.atomic
def want_availability(*, command: Command, now: datetime) -> None:
    """Remember what an accepted or scheduled ChangeAvailability is to lead to; done where the status shows it already.

    With connector 0 it is meant for every connector (OCPP 1.6 §5.2); what an earlier command wanted is given up.
    """
    said = command.said
    if not isinstance(said, ChangeAvailability) or said.connector_id < 0:
        return
    connector_id, wanted = said.connector_id, said.availability
    lock_connector(station_id=command.station_id, connector_id=connector_id)
    rows = Connector.objects.filter(station_id=command.station_id)
    if connector_id:
        rows = rows.filter(connector_id=connector_id)
    for row in rows.order_by("connector_id").select_for_update(no_key=True):
        if row.availability_command_id is not None and row.availability_command_id != command.pk:
            complete_effect(
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
        complete_effect(command_id=command_id, note=f"shown as {telling[-1].status}", now=now)
