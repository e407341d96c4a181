"""Charging profiles: asked for, held to the rules and to what the station can do, replaced by one another."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet

from stations.models import Command, ConfigurationKey
from stations.services.commands import CommandRefused, request_command
from stations.services.configuration import integer_value
from transactions.charging_rules import BadProfile, Limits, check_profile, read_instant
from transactions.models import ChargingProfile, ProfileStatus, Transaction

UNITS = {"current": "A", "power": "W"}


def request_set_charging_profile(
    *,
    station_id: int,
    connector_id: int,
    profile: Mapping[str, Any],
    requested_by: str,
    via: str,
    now: datetime,
    reason: str = "",
    waits_s: float = 0,
) -> Command:
    """Give a station a charging profile (OCPP 1.6 §5.16), under a new id where it has none.

    A TxProfile without a transactionId is for the transaction that is open on the connector.

    :raises CommandRefused: it breaks a rule or the station's limits.
    """
    sent = dict(profile)
    if "chargingProfileId" not in sent:
        sent["chargingProfileId"] = next_profile_id(station_id)
    if sent.get("chargingProfilePurpose") == "TxProfile" and "transactionId" not in sent:
        running = _running(station_id, connector_id)
        if running is None:
            raise CommandRefused(f"nobody charges on connector {connector_id}: a TxProfile needs a transaction")
        sent["transactionId"] = running.transaction_id
    return request_command(
        station_id=station_id,
        action="SetChargingProfile",
        payload={"connectorId": connector_id, "csChargingProfiles": sent},
        requested_by=requested_by,
        via=via,
        now=now,
        reason=reason,
        waits_s=waits_s,
    )


def keep_profile(*, command: Command, now: datetime) -> None:
    """Check a SetChargingProfile and write its profile.

    :raises CommandRefused:
    """
    connector_id, profile = command.payload["connectorId"], command.payload["csChargingProfiles"]
    try:
        check_profile(profile, connector_id=connector_id, limits=limits_of(command.station_id))
    except BadProfile as error:
        raise CommandRefused(str(error)) from None
    row: Transaction | None = None
    if profile["chargingProfilePurpose"] == "TxProfile":
        row = _running(command.station_id, connector_id)
        if row is None or profile.get("transactionId") not in (None, row.transaction_id):
            raise CommandRefused("a TxProfile is for the transaction that is open on its connector")
    _profile_of(command, profile, connector_id, row, now).save(force_insert=True)


def keep_started_profile(*, command: Command, transaction: Transaction, now: datetime) -> None:
    """Write the profile that a remote start brought along, in force since its transaction began (OCPP 1.6 §5.11)."""
    profile = command.payload.get("chargingProfile")
    if profile is None or command.allows_invalid:
        return
    row = _profile_of(command, profile, command.payload["connectorId"], transaction, now)
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


def limits_of(station_id: int) -> Limits:
    """Return what the station's configuration, as last read, says of its abilities."""
    key = "ChargingScheduleAllowedChargingRateUnit"
    row = ConfigurationKey.objects.filter(station_id=station_id, key__iexact=key).first()
    words = (row.value or "").lower().split(",") if row is not None else []
    level = ConfigurationKey.objects.filter(station_id=station_id, key__iexact="ChargeProfileMaxStackLevel").first()
    text = "" if level is None or level.value is None else level.value.strip()
    return Limits(
        max_stack_level=int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None,
        max_periods=integer_value(station_id=station_id, key="ChargingScheduleMaxPeriods"),
        units=frozenset(UNITS[word.strip()] for word in words if word.strip() in UNITS),
    )


def _running(station_id: int, connector_id: int) -> Transaction | None:
    rows = Transaction.objects.open().filter(station_id=station_id, connector__connector_id=connector_id)
    return rows.first()


def _profile_of(
    command: Command, profile: Mapping[str, Any], connector_id: int, transaction: Transaction | None, now: datetime
) -> ChargingProfile:
    return ChargingProfile(
        charging_profile_id=profile["chargingProfileId"],
        station_id=command.station_id,
        connector_id=connector_id,
        transaction=transaction,
        purpose=profile["chargingProfilePurpose"],
        kind=profile["chargingProfileKind"],
        recurrency_kind=profile.get("recurrencyKind", ""),
        stack_level=profile["stackLevel"],
        valid_from=read_instant(profile.get("validFrom")),
        valid_to=read_instant(profile.get("validTo")),
        rate_unit=profile["chargingSchedule"]["chargingRateUnit"],
        schedule=profile["chargingSchedule"],
        command=command,
        created_at=now,
    )
