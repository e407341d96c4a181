"""What stations say of their configuration, and how it is read from them."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q

from stations.dialects import Limit, Verdict, dialect_of
from stations.models import Command, CommandVia, ConfigurationKey, RegistrationStatus, Station
from stations.operations import BOOT, ChangeConfiguration, ReadConfiguration, TriggerMessage
from stations.passwords import hash_password
from stations.secrets import MASK, is_secret, unseal
from stations.services.commands import CommandRefused, request_command
from stations.types import Origin

logger = logging.getLogger(__name__)

SYSTEM = "system"
MAX_KEYS_STORED = 1000
BOOT_PATIENCE = timedelta(seconds=60)
"""How long a connected station has for its first BootNotification before it is asked for one."""


@transaction.atomic
def request_configuration(*, station_id: int, keys: Sequence[str] = (), origin: Origin) -> list[Command]:
    """Ask a station for its configuration: all keys, or these, in as many CALLs as it takes (Limit).

    :raises CommandRefused: the station is rejected.
    """
    station = Station.objects.get(pk=station_id)
    if station.reads_configuration_by_key:
        wanted = [[key] for key in keys or dialect_of(station.version).standard_keys]
    elif keys:
        size = limit_of(station=station, limit=Limit.CONFIGURATION_KEYS) or len(keys)
        wanted = [list(keys[start : start + size]) for start in range(0, len(keys), size)]
    else:
        wanted = [[]]
    return [
        request_command(
            station_id=station_id,
            operation=ReadConfiguration(keys=group or None),
            origin=origin,
        )
        for group in wanted
    ]


@transaction.atomic
def greet_stations(*, gateway_channel: str, now: datetime, limit: int = 20) -> int:
    """Get to know connected stations, a few at a time, so that a boot storm makes no storm of commands.

    Their configuration is read on first contact; an accepted station that never booted is asked to. Returns how many.
    """
    due = Station.objects.filter(
        ~Q(last_boot_at=None) | Q(connected_at__lte=now - BOOT_PATIENCE, boot_triggered_at=None),
        gateway_channel=gateway_channel,
        configuration_requested_at=None,
        disconnected_at=None,
        registration_status=RegistrationStatus.ACCEPTED,
    )
    stations = list(due.order_by("connected_at").select_for_update(no_key=True, skip_locked=True)[:limit])
    for station in stations:
        try:
            if station.last_boot_at is None:
                station.boot_triggered_at = now
                request_command(
                    station_id=station.pk,
                    operation=TriggerMessage(message=BOOT),
                    origin=Origin(SYSTEM, CommandVia.SYSTEM, now, "it has never booted here"),
                )
            station.configuration_requested_at = now
            request_configuration(
                station_id=station.pk, origin=Origin(SYSTEM, CommandVia.SYSTEM, now, "first contact")
            )
        except CommandRefused:
            station.configuration_requested_at = now
        station.save(update_fields=["configuration_requested_at", "boot_triggered_at"])
    return len(stations)


def limit_of(*, station: Station, limit: Limit) -> int | None:
    """Return what a station said of its abilities as a positive number, None where it did not."""
    text = limit_text(station=station, limit=limit).strip()
    return int(text) if text.isascii() and text.isdecimal() and 0 < len(text) < 10 and int(text) > 0 else None


def limit_text(*, station: Station, limit: Limit) -> str:
    """Return what a station's configuration, as last read, says of its abilities, "" for nothing."""
    key = dialect_of(station.version).limit_keys.get(limit)
    row = ConfigurationKey.objects.filter(station=station, key__iexact=key).first() if key else None
    return "" if row is None or row.value is None else row.value


def apply_configuration_answer(command: Command, now: datetime) -> None:
    """Keep what a ReadConfiguration was answered; either list may be empty or missing (OCPP 1.6 §6.24)."""
    told = command.result or {}
    known = [item for item in _list(told.get("keys")) if isinstance(item, dict) and item.get("key")]
    rows = [
        _row(command.station_id, str(item["key"]), item.get("value"), item.get("is_readonly"), False, now)
        for item in known
    ]
    unknown = [key for key in _list(told.get("unknown")) if isinstance(key, str) and key]
    rows += [_row(command.station_id, key, None, None, True, now) for key in unknown]
    _store(rows)
    said = command.said
    if isinstance(said, ReadConfiguration) and not said.keys and rows:
        # All were asked for: what is no longer named is gone. A pending value is settled by what is read after a boot.
        ConfigurationKey.objects.filter(station_id=command.station_id, read_at__lt=now).delete()


def apply_change_answer(command: Command, now: datetime) -> None:
    """Take over what a ChangeConfiguration was answered (OCPP 1.6 §5.3): the new password, or a look at the value."""
    if command.sealed is not None:
        # The old password served until now; the station reconnects with the new one.
        new_hash = hash_password(unseal(command.sealed))
        Station.objects.filter(pk=command.station_id).update(password_hash=new_hash)
        return
    said = command.said
    if not isinstance(said, ChangeConfiguration) or is_secret(said.key):
        return
    if command.verdict == Verdict.AFTER_REBOOT:
        rows = ConfigurationKey.objects.filter(station_id=command.station_id, key__iexact=said.key)
        if not rows.update(pending_value=said.value):
            row = _row(command.station_id, said.key, None, None, False, now)
            row.pending_value = said.value
            _store([row])
    try:
        request_command(
            station_id=command.station_id,
            operation=ReadConfiguration(keys=[said.key]),
            origin=Origin(SYSTEM, CommandVia.SYSTEM, now, f"to see {said.key} as it is now"),
            parent=command,
        )
    except CommandRefused:
        logger.info("%s was rejected meanwhile and is not asked for %s", command.station.identity, said.key)


def stations_with_pending_values(*, station_ids: Iterable[int]) -> list[int]:
    """Return which stations have values that become current when they boot."""
    keys = ConfigurationKey.objects.filter(station_id__in=station_ids).exclude(pending_value=None)
    return list(keys.order_by("station_id").values_list("station_id", flat=True).distinct())


def settle_pending_values(*, station_id: int, now: datetime) -> None:
    """A boot makes pending values current: forget them, and have the configuration read again."""
    if ConfigurationKey.objects.filter(station_id=station_id).exclude(pending_value=None).update(pending_value=None):
        Station.objects.filter(pk=station_id).update(configuration_requested_at=None)


def _row(station_id: int, key: str, value: Any, readonly: Any, is_unknown: bool, now: datetime) -> ConfigurationKey:
    """Scame reports readonly as 0 or 1, others numbers and booleans as values (evcc#26253)."""
    text = None if value is None else value if isinstance(value, str) else str(value)
    if isinstance(value, bool):
        text = "true" if value else "false"
    if is_secret(key) and text is not None:
        text = MASK
    return ConfigurationKey(
        station_id=station_id,
        key=key[:255],
        value=text,
        readonly=None if readonly is None else readonly in (True, 1, "true", "True", "1"),
        is_unknown=is_unknown,
        read_at=now,
    )


def _store(rows: Iterable[ConfigurationKey]) -> None:
    """Write keys in one statement, however many: a fleet that is read is read all at once."""
    latest = {(row.station_id, row.key.lower()): row for row in rows}
    kept = [latest[key] for key in sorted(latest)[:MAX_KEYS_STORED]]
    columns = [
        [getattr(row, name) for row in kept]
        for name in ("station_id", "key", "value", "readonly", "is_unknown", "read_at", "pending_value")
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO stations_configurationkey AS c
                (station_id, key, value, readonly, is_unknown, read_at, pending_value)
            SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bool[], %s::bool[], %s::timestamptz[],
                                 %s::text[])
            ON CONFLICT (station_id, lower(key)) DO UPDATE SET
                key = excluded.key, value = excluded.value, readonly = excluded.readonly,
                is_unknown = excluded.is_unknown, read_at = excluded.read_at,
                pending_value = COALESCE(excluded.pending_value, c.pending_value)
            """,
            columns,
        )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
