"""Create, update and delete single stations, as the API does."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from evcharging.db.history import HasHistory, has_history
from evcharging.db.unique_rows import insert_unique
from evcharging.events import publish
from stations.models import RegistrationStatus, Station
from stations.services.enrolment import accept_stations, hold_stations, reject_stations, set_station_password
from stations.signals import station_changed

DECISIONS: Mapping[str, Callable[..., int]] = {
    RegistrationStatus.ACCEPTED: accept_stations,
    RegistrationStatus.REJECTED: reject_stations,
    RegistrationStatus.PENDING: hold_stations,
}


@transaction.atomic
def create_station(*, identity: str, values: Mapping[str, Any], now: datetime) -> Station:
    """Create a station, Pending unless `values`, as for update_station, has a registration_status.

    :raises AlreadyExists: :raises PasswordTooShort: :raises PasswordTooLong:
    """
    station, known = Station(identity=identity), Station.objects.with_identity(identity)
    insert_unique(station, known=known, reason=f"there is a station {identity} already (its case does not matter)")
    return update_station(station_id=station.pk, values=values, now=now)


@transaction.atomic
def update_station(*, station_id: int, values: Mapping[str, Any], now: datetime) -> Station:
    """Set the fields in `values`: those that staff may edit, registration_status, and password ("" demands none).

    :raises Station.DoesNotExist: :raises PasswordTooShort: :raises PasswordTooLong:
    """
    station = Station.objects.select_for_update(no_key=True).get(pk=station_id)
    columns = {name: value for name, value in values.items() if name not in ("registration_status", "password")}
    for name, value in columns.items():
        setattr(station, name, value)
    if columns:
        station.save(update_fields=list(columns))
    if "registration_status" in values:
        DECISIONS[values["registration_status"]](station_ids=[station_id], now=now)
    if "password" in values:
        set_station_password(station_id=station_id, password=values["password"])
    publish(station_changed, Station, station_id=station_id)
    return Station.objects.get(pk=station_id)


@transaction.atomic
def delete_station(*, station_id: int) -> None:
    """Delete a station without history, and its boots, notices and deviations.

    The gateway closes its connection, if there is one, at the next liveness write: that finds no row.

    :raises Station.DoesNotExist: :raises HasHistory:
    """
    station = Station.objects.select_for_update().get(pk=station_id)
    if has_history(station):
        raise HasHistory(f"station {station.identity} has history and stays; reject it instead")
    station.delete()
