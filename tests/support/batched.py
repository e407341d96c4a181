"""Starts and stops as the lanes have them."""

from datetime import timedelta
from typing import Any

from connectors.models import Connector
from stations.models import Station
from tests.support.factories import (
    NOON,
    make_id_tag,
    make_station,
    received,
    start_report,
    stop_report,
)
from transactions.types import StartMessage, StopMessage

LATER = NOON + timedelta(hours=2)


def make_ready_stations(count: int) -> list[Station]:
    """Stations with a known connector 1, and each an accepted tag of its own name."""
    stations = [make_station() for _ in range(count)]
    Connector.objects.bulk_create(Connector(station=station, connector_id=1) for station in stations)
    for station in stations:
        make_id_tag(station.identity)
    return stations


def start_message(
    station: Station, *, drift: float | None = None, is_accepted: bool = True, **fields: Any
) -> StartMessage:
    fields = {"at": NOON, "id_tag": station.identity} | fields
    epoch = fields.pop("epoch", station.connection_epoch)
    received_at = fields.pop("received_at", fields["at"] or NOON)
    came = received(station, received_at, epoch=epoch, drift=drift, is_accepted=is_accepted)
    return StartMessage(came, start_report(**fields))


def stop_message(
    station: Station,
    transaction_id: int | None,
    *,
    drift: float | None = None,
    is_accepted: bool = True,
    **fields: Any,
) -> StopMessage:
    fields = {"at": LATER} | fields
    epoch = fields.pop("epoch", station.connection_epoch)
    report = stop_report(transaction_id=transaction_id, **fields)
    came = received(station, fields["at"] or LATER, epoch=epoch, drift=drift, is_accepted=is_accepted)
    return StopMessage(came, report, {})
