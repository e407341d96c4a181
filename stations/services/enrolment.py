"""What staff decide about stations."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from evcharging.events import publish
from stations.models import RegistrationStatus, Station
from stations.passwords import hash_password
from stations.signals import station_changed


@transaction.atomic
def accept_stations(*, station_ids: Iterable[int], now: datetime) -> int:
    """Accept stations: their next BootNotification is answered Accepted; return how many changed."""
    return _set_status(station_ids, RegistrationStatus.ACCEPTED, now)


@transaction.atomic
def reject_stations(*, station_ids: Iterable[int], now: datetime) -> int:
    """Reject stations; their transaction messages are still stored if they were ever accepted."""
    return _set_status(station_ids, RegistrationStatus.REJECTED, now)


@transaction.atomic
def hold_stations(*, station_ids: Iterable[int], now: datetime) -> int:
    """Put stations back to Pending: their next BootNotification is answered Pending."""
    return _set_status(station_ids, RegistrationStatus.PENDING, now)


@transaction.atomic
def station_saved(*, station_id: int) -> None:
    """Tell the others that a station was saved by a form."""
    publish(station_changed, Station, station_id=station_id)


@transaction.atomic
def set_station_password(*, station_id: int, password: str) -> None:
    """Set the Basic password of a station's next connection; "" demands none.

    :raises PasswordTooShort: under 16 bytes. :raises PasswordTooLong: over 128.
    """
    stored = hash_password(password) if password else ""
    Station.objects.filter(pk=station_id).update(password_hash=stored)
    publish(station_changed, Station, station_id=station_id)


@transaction.atomic
def import_station(
    *, identity: str, name: str | None, registration_status: str, password: str, now: datetime
) -> tuple[Station, bool]:
    """Create or update one station; return it and whether it is new.

    :param name: None leaves a known station's name. :param password: "" leaves the password as it is.
    :raises PasswordTooShort: :raises PasswordTooLong:
    """
    station = Station.objects.with_identity(identity).select_for_update(no_key=True).first()
    created = station is None
    if station is None:
        station = Station(identity=identity)
    if name is not None:
        station.name = name
    station.registration_status = registration_status
    if registration_status == RegistrationStatus.ACCEPTED and station.first_accepted_at is None:
        station.first_accepted_at = now
    if password:
        station.password_hash = hash_password(password)
    station.save()
    publish(station_changed, Station, station_id=station.pk)
    return station, created


def _set_status(station_ids: Iterable[int], status: RegistrationStatus, now: datetime) -> int:
    changed = 0
    stations = Station.objects.filter(pk__in=list(station_ids)).exclude(registration_status=status)
    for station in stations.order_by("pk").select_for_update(no_key=True):
        station.registration_status = status
        if status == RegistrationStatus.ACCEPTED and station.first_accepted_at is None:
            station.first_accepted_at = now
        station.save(update_fields=["registration_status", "first_accepted_at"])
        publish(station_changed, Station, station_id=station.pk)
        changed += 1
    return changed
