"""Stations one by one, as a program or a person writes them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from evcharging.db.history import has_history
from evcharging.events import publish
from stations.models import RegistrationStatus, Station
from stations.services.enrolment import accept_stations, hold_stations, reject_stations, set_station_password
from stations.signals import station_changed

DECISIONS: Mapping[str, Callable[..., int]] = {
    RegistrationStatus.ACCEPTED: accept_stations,
    RegistrationStatus.REJECTED: reject_stations,
    RegistrationStatus.PENDING: hold_stations,
}


class StationExists(Exception):
    """There is a station of this identity, whatever its case."""


class StationHasHistory(Exception):
    """Something that must stay refers to the station."""


@transaction.atomic
def create_station(*, identity: str, facts: Mapping[str, Any], now: datetime) -> Station:
    """Create a station; `facts` as for update_station, of which registration_status is Pending where left out.

    :raises StationExists: :raises PasswordTooShort: :raises PasswordTooLong:
    """
    if Station.objects.with_identity(identity).exists():
        raise StationExists(f"there is a station {identity} already (its case does not matter)")
    try:
        with transaction.atomic():
            station = Station.objects.create(identity=identity)
    except IntegrityError:  # it was enrolled at this very moment
        raise StationExists(f"there is a station {identity} already (its case does not matter)") from None
    return update_station(station_id=station.pk, facts=facts, now=now)


@transaction.atomic
def update_station(*, station_id: int, facts: Mapping[str, Any], now: datetime) -> Station:
    """Set what `facts` names: fields that staff may edit, registration_status, and password ("" demands none).

    :raises Station.DoesNotExist: :raises PasswordTooShort: :raises PasswordTooLong:
    """
    station = Station.objects.select_for_update(no_key=True).get(pk=station_id)
    fields = {name: value for name, value in facts.items() if name not in ("registration_status", "password")}
    for name, value in fields.items():
        setattr(station, name, value)
    if fields:
        station.save(update_fields=list(fields))
    if "registration_status" in facts:
        DECISIONS[facts["registration_status"]](station_ids=[station_id], now=now)
    if "password" in facts:
        set_station_password(station_id=station_id, password=facts["password"])
    publish(station_changed, Station, station_id=station_id)
    return Station.objects.get(pk=station_id)


@transaction.atomic
def delete_station(*, station_id: int) -> None:
    """Delete a station that has no history; its boots, notices and deviations go with it.

    Its connection, if it has one, is closed by the gateway at the next touch: its row is gone.

    :raises Station.DoesNotExist: :raises StationHasHistory:
    """
    station = Station.objects.select_for_update().get(pk=station_id)
    if has_history(station):
        raise StationHasHistory(f"station {station.identity} has history and stays; reject it instead")
    station.delete()
