"""Charging profiles: asked for, held to the rules and to what the station can do, replaced by one another."""

from datetime import datetime
from typing import NamedTuple

import msgspec
from django.db import connection
from django.db.models import Q, QuerySet

from stations.dialects import Limit
from stations.models import Command, Station
from stations.services.commands import CommandRefused, request_command
from stations.services.configuration import limit_of, limit_text
from stations.types import Origin
from transactions.charging_rules import BadProfile, Limits, check_profile, read_instant
from transactions.models import ChargingProfile, ProfilePurpose, ProfileStatus, Transaction
from transactions.operations import Profile, Schedule, SetChargingProfile, StartCharging

UNITS = {"current": "A", "power": "W"}


class ProfileDraft(NamedTuple):
    """A profile to be sent. Without an id it gets a new one: one that the station has would replace that profile."""

    purpose: str
    kind: str
    stack_level: int
    schedule: Schedule
    recurrency: str | None = None
    valid_from: str | None = None
    valid_to: str | None = None
    transaction_ref: str | None = None
    profile_id: int | None = None


def completed(draft: ProfileDraft, station_id: int) -> Profile:
    """Return a draft as it is sent to a station (OCPP 1.6 §5.16)."""
    fields = draft._asdict()
    if draft.profile_id is None:
        fields["profile_id"] = next_profile_id(station_id)
    return Profile(**fields)


def request_set_charging_profile(
    *, station_id: int, connector_id: int, profile: ProfileDraft, origin: Origin
) -> Command:
    """Give a station a charging profile (OCPP 1.6 §5.16).

    A TxProfile that names no transaction is for the one that is open on the connector.

    :raises CommandRefused: it breaks a rule or the station's limits.
    """
    if profile.purpose == ProfilePurpose.TX and profile.transaction_ref is None:
        running = _running(station_id, connector_id)
        if running is None:
            raise CommandRefused(f"nobody charges on connector {connector_id}: a TxProfile needs a transaction")
        profile = profile._replace(transaction_ref=running.ref)
    operation = SetChargingProfile(connector_id=connector_id, profile=completed(profile, station_id))
    return request_command(station_id=station_id, operation=operation, origin=origin)


def keep_profile(*, command: Command, now: datetime) -> None:
    """Check the profile that a command sets and write it.

    :raises CommandRefused:
    """
    said = command.said
    assert isinstance(said, SetChargingProfile)
    connector_id, profile = said.connector_id, said.profile
    try:
        check_profile(profile, connector_id=connector_id, limits=limits_of(command.station))
    except BadProfile as error:
        raise CommandRefused(str(error)) from None
    row: Transaction | None = None
    if profile.purpose == ProfilePurpose.TX:
        row = _running(command.station_id, connector_id)
        if row is None or profile.transaction_ref not in (None, row.ref):
            raise CommandRefused("a TxProfile is for the transaction that is open on its connector")
    _profile_of(command, profile, connector_id, row, now).save(force_insert=True)


def keep_started_profile(*, command: Command, transaction: Transaction, now: datetime) -> None:
    """Write the profile that a remote start brought along, in force since its transaction began (OCPP 1.6 §5.11)."""
    said = command.said
    if not isinstance(said, StartCharging) or said.profile is None or command.allows_invalid:
        return
    assert said.connector_id is not None
    row = _profile_of(command, said.profile, said.connector_id, transaction, now)
    row.status = ProfileStatus.ACTIVE if transaction.is_open else ProfileStatus.ENDED
    row.ended_at = None if transaction.is_open else now
    replace_profiles(row, now)
    row.save(force_insert=True)


def replace_profiles(row: ChargingProfile, now: datetime) -> None:
    """End what a profile replaces: that of the same id, and that of the same place (OCPP 1.6 §5.16)."""
    same = profiles_before(row.command).exclude(pk=row.pk)
    place = Q(purpose=row.purpose, stack_level=row.stack_level, connector_id=row.connector_id)
    same.filter(place | Q(charging_profile_id=row.charging_profile_id)).update(
        status=ProfileStatus.REPLACED, ended_at=now
    )


def profiles_before(command: Command) -> QuerySet[ChargingProfile]:
    """Return what the station has when it answers a command, or may have: some of it was never answered.

    A station gets its commands in the order of their numbers.
    """
    is_unanswered = Q(status=ProfileStatus.REQUESTED, command__number__lt=command.number)
    rows = ChargingProfile.objects.filter(station_id=command.station_id)
    return rows.filter(Q(status=ProfileStatus.ACTIVE) | is_unanswered)


def next_profile_id(station_id: int) -> int:
    """Return a profile id that the station was never given: staff may have sent any by hand."""
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT nextval('transactions_charging_profile_id_seq')")
            (number,) = cursor.fetchone()
        if not ChargingProfile.objects.filter(station_id=station_id, charging_profile_id=number).exists():
            return int(number)


def limits_of(station: Station) -> Limits:
    """Return what the station's configuration, as last read, says of its abilities."""
    words = limit_text(station=station, limit=Limit.PROFILE_UNITS).lower().split(",")
    level = limit_text(station=station, limit=Limit.PROFILE_STACK_LEVEL).strip()
    return Limits(
        max_stack_level=int(level) if level.isascii() and level.isdecimal() and len(level) < 10 else None,
        max_periods=limit_of(station=station, limit=Limit.PROFILE_PERIODS),
        units=frozenset(UNITS[word.strip()] for word in words if word.strip() in UNITS),
    )


def _running(station_id: int, connector_id: int) -> Transaction | None:
    rows = Transaction.objects.open().filter(station_id=station_id, connector__connector_id=connector_id)
    return rows.first()


def _profile_of(
    command: Command, profile: Profile, connector_id: int, transaction: Transaction | None, now: datetime
) -> ChargingProfile:
    return ChargingProfile(
        charging_profile_id=profile.profile_id,
        station_id=command.station_id,
        connector_id=connector_id,
        transaction=transaction,
        purpose=profile.purpose,
        kind=profile.kind,
        recurrency_kind=profile.recurrency or "",
        stack_level=profile.stack_level,
        valid_from=read_instant(profile.valid_from),
        valid_to=read_instant(profile.valid_to),
        rate_unit=profile.schedule.unit,
        schedule=msgspec.to_builtins(profile.schedule),
        command=command,
        created_at=now,
    )
