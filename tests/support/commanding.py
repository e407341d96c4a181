"""Commands in tests of services: a station that is connected as far as we know, and its answers."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django_redis import get_redis_connection

from stations.dialects import dialect_of
from stations.models import Command, Station
from stations.selectors import presence_key
from stations.services.calls import CallOutcome, Claim, claim_commands, record_outcomes
from stations.services.commands import read_frame, request_command
from stations.types import Origin
from tests.support.factories import make_station
from transactions.models import Reservation, Transaction
from transactions.operations import CancelReservation, Profile, SetChargingProfile, StopCharging
from transactions.services.charging_profiles import ProfileDraft


def make_online_station(identity: str | None = None, **fields: Any) -> Station:
    """A station that is connected as far as PostgreSQL and Redis know."""
    station = make_station(identity, connected_at=timezone.now(), **fields)
    get_redis_connection("default").set(presence_key(station.pk), station.connection_epoch)
    return station


def request(station: Station, action: str, payload: dict[str, Any], **options: Any) -> Command:
    """Request a command as anybody may who writes the payload by hand."""
    return request_frame(
        station_id=station.pk,
        action=action,
        payload=payload,
        requested_by="anna",
        via="api",
        now=timezone.now(),
        **options,
    )


def request_frame(
    *,
    station_id: int,
    action: str,
    payload: Mapping[str, Any],
    requested_by: str,
    via: str,
    now: datetime,
    reason: str = "",
    waits_s: float = 0,
    allows_invalid: bool = False,
    **options: Any,
) -> Command:
    """Request a command in the words of OCPP 1.6, as the API and the shell do."""
    operation = read_frame(action=action, payload=payload, allows_invalid=allows_invalid)
    origin = Origin(requested_by, via, now, reason, waits_s)
    return request_command(
        station_id=station_id, operation=operation, origin=origin, allows_invalid=allows_invalid, **options
    )


def request_remote_stop(*, pk: int, origin: Origin) -> Command:
    """Ask the station to stop a transaction, as the back office does."""
    row = Transaction.objects.get(pk=pk)
    operation = StopCharging(transaction_ref=row.ref)
    return request_command(station_id=row.station_id, operation=operation, origin=origin)


def request_cancel_reservation(*, reservation_pk: int, origin: Origin) -> Command:
    """Ask the station to give up a reservation, as the back office does."""
    row = Reservation.objects.get(pk=reservation_pk)
    operation = CancelReservation(reservation_id=row.reservation_id)
    return request_command(station_id=row.station_id, operation=operation, origin=origin)


def profile_of(profile: Mapping[str, Any]) -> Profile:
    """Return the charging profile that csChargingProfiles of OCPP 1.6 say, whatever the schema says of them."""
    said = dialect_of("").operation("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile})
    assert isinstance(said, SetChargingProfile), profile
    return said.profile


def draft_of(profile: Mapping[str, Any]) -> ProfileDraft:
    """Return the same of a profile that may have no id."""
    said = profile_of({"chargingProfileId": 1, **profile})
    draft = ProfileDraft(**{name: getattr(said, name) for name in ProfileDraft._fields})
    return draft if "chargingProfileId" in profile else draft._replace(profile_id=None)


def send(command: Command) -> None:
    """Take the station's next command to its socket; it must be this one."""
    (claimed,) = claim_commands(claims=[Claim(command.station_id, command.station.connection_epoch, timezone.now())])
    assert claimed is not None
    assert claimed.id == command.pk


def answer(command: Command, word: str = "Accepted", at: datetime | None = None, **response: Any) -> Command:
    """Let the station answer what was sent to it; return the command as it then is."""
    return end(command, "answered", at, result_status=word, response={"status": word, **response})


def answered(command: Command, word: str = "Accepted", **response: Any) -> Command:
    """Send a command and let the station answer it."""
    send(command)
    return answer(command, word, **response)


def unanswered(command: Command) -> Command:
    """Send a command that the station never answers."""
    send(command)
    return end(command, "timed_out", error={"code": "", "description": "no answer in 30 s"})


def failed(command: Command, code: str = "NotSupported") -> Command:
    """Send a command that the station answers with a CALLERROR."""
    send(command)
    return end(command, "call_error", error={"code": code, "description": ""})


def end(command: Command, status: str, at: datetime | None = None, **outcome: Any) -> Command:
    """Record how a sent command ended."""
    now = at or timezone.now() + timedelta(milliseconds=1)
    epoch = command.station.connection_epoch
    assert record_outcomes(outcomes=[CallOutcome(command.pk, epoch, status, now, **outcome)]) == [True]
    return Command.objects.get(pk=command.pk)
