"""Charging profiles: set, replaced, cleared as stations answer, and the schedules that result."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction

from stations.models import Command, CommandStatus, ConfigurationKey
from stations.services import CommandRefused, integer_value, request_command
from transactions.charging_rules import BadProfile, Limits, check_profile
from transactions.models import ChargingProfile, CompositeSchedule, ProfileStatus, Transaction

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
    sent.setdefault("chargingProfileId", _next_id())
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
    if not 0 <= profile["chargingProfileId"] < 2**31 or profile["stackLevel"] >= 2**31:
        raise CommandRefused("ids and stack levels are numbers of 31 bits")
    ChargingProfile.objects.create(
        charging_profile_id=profile["chargingProfileId"],
        station_id=command.station_id,
        connector_id=connector_id,
        transaction=row,
        purpose=profile["chargingProfilePurpose"],
        kind=profile["chargingProfileKind"],
        recurrency_kind=profile.get("recurrencyKind", ""),
        stack_level=profile["stackLevel"],
        valid_from=_instant(profile.get("validFrom")),
        valid_to=_instant(profile.get("validTo")),
        rate_unit=profile["chargingSchedule"]["chargingRateUnit"],
        schedule=profile["chargingSchedule"],
        command=command,
        created_at=now,
    )


@transaction.atomic
def apply_profile_answer(*, command: Command, now: datetime) -> None:
    """Take over what a station answered to SetChargingProfile, ClearChargingProfile or GetCompositeSchedule."""
    if command.action == "SetChargingProfile":
        _apply_set(command, now)
    elif command.action == "ClearChargingProfile" and command.status == CommandStatus.ANSWERED:
        # Unknown says that there is none that fits: then none of ours is there either.
        if command.result_status in ("Accepted", "Unknown"):
            _cleared_by(command).update(status=ProfileStatus.CLEARED, cleared_by_command=command, ended_at=now)
    elif command.action == "GetCompositeSchedule" and command.succeeded:
        _keep_composite(command, now)


def end_profiles_of(*, transaction_id: int, station_id: int, now: datetime) -> int:
    """End the TxProfiles of a transaction that has ended; return how many."""
    rows = ChargingProfile.objects.filter(
        transaction__transaction_id=transaction_id, station_id=station_id, status=ProfileStatus.ACTIVE
    )
    return rows.update(status=ProfileStatus.ENDED, ended_at=now)


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


def _apply_set(command: Command, now: datetime) -> None:
    row = (
        ChargingProfile.objects.select_for_update(no_key=True)
        .filter(command=command, status=ProfileStatus.REQUESTED)
        .first()
    )
    if row is None:
        return
    row.result_status = command.result_status
    if not command.succeeded:
        row.status, row.ended_at = ProfileStatus.REFUSED, now
        if command.status == CommandStatus.TIMED_OUT:
            row.result_status = "no answer"
        row.save()
        return
    # The same id, or the same purpose and stack level on the connector, gives way (OCPP 1.6 §5.16).
    same = ChargingProfile.objects.filter(station_id=row.station_id, status=ProfileStatus.ACTIVE).exclude(pk=row.pk)
    place = same.filter(purpose=row.purpose, stack_level=row.stack_level, connector_id=row.connector_id)
    (same.filter(charging_profile_id=row.charging_profile_id) | place).update(
        status=ProfileStatus.REPLACED, ended_at=now
    )
    row.status = ProfileStatus.ACTIVE
    if row.transaction is not None and not row.transaction.is_open:
        row.status, row.ended_at = ProfileStatus.ENDED, now
    row.save()


def _cleared_by(command: Command) -> Any:
    """Return the active profiles that a ClearChargingProfile means: by id, else by all that is given (§5.5)."""
    payload = command.payload
    rows = ChargingProfile.objects.filter(station_id=command.station_id, status=ProfileStatus.ACTIVE)
    if "id" in payload:
        return rows.filter(charging_profile_id=payload["id"])
    for name, column in (
        ("connectorId", "connector_id"), ("chargingProfilePurpose", "purpose"), ("stackLevel", "stack_level"),
    ):  # fmt: skip
        if name in payload:
            rows = rows.filter(**{column: payload[name]})
    return rows


def _keep_composite(command: Command, now: datetime) -> None:
    response = command.response if isinstance(command.response, dict) else {}
    schedule = response.get("chargingSchedule")
    if not isinstance(schedule, dict):
        return
    CompositeSchedule.objects.get_or_create(
        command=command,
        defaults={
            "station_id": command.station_id,
            "connector_id": command.payload.get("connectorId", 0),
            "starts_at": _instant(response.get("scheduleStart")),
            "schedule": schedule,
            "received_at": now,
        },
    )


def _running(station_id: int, connector_id: int) -> Transaction | None:
    rows = Transaction.objects.open().filter(station_id=station_id, connector__connector_id=connector_id)
    return rows.first()


def _instant(text: Any) -> datetime | None:
    """Return a time of ours or a station's; what cannot be read is left out."""
    if not isinstance(text, str):
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)


def _next_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('transactions_charging_profile_id_seq')")
        (number,) = cursor.fetchone()
    return int(number)
