"""Commands to stations: requested by staff, programs or the system itself; refused before a row is written."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db import transaction

from evcharging import ocpp16_schemas as schemas
from evcharging.events import emit, publish
from stations.models import Command, CommandBatch, CommandStatus, RegistrationStatus, Station
from stations.operations import OPERATIONS, PENDING_MAY
from stations.passwords import PasswordTooLong, PasswordTooShort, hash_password
from stations.secrets import MASK, is_secret, seal
from stations.selectors import online_ids
from stations.signals import command_ended, command_requested, commands_queued

MAX_AUTHORIZATION_KEY = 40
"""Characters of an AuthorizationKey: 20 bytes as hex digits (OCPP-J 1.6 §6.2.2)."""


class CommandRefused(Exception):
    """Our own rules forbid the command; the text says why, for whoever asked. Nothing was written."""


class InvalidPayload(CommandRefused):
    """The payload breaks OCPP's schema; `field` says where. Staff may send it all the same."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class CommandNotWaiting(Exception):
    """The command has been sent or has ended: it cannot be taken back."""


@transaction.atomic
def request_command(
    *,
    station_id: int,
    action: str,
    payload: Mapping[str, Any],
    requested_by: str,
    via: str,
    now: datetime,
    reason: str = "",
    waits_s: float = 0,
    timeout_s: float | None = None,
    resends: bool = False,
    allows_invalid: bool = False,
    parent: Command | None = None,
    batch: CommandBatch | None = None,
    command_id: UUID | None = None,
    is_online: bool | None = None,
) -> Command:
    """Queue one CALL to a station; whoever holds its socket sends it once those before it are answered.

    A station that is not connected fails the command at once (status not_connected), unless `waits_s` says how long it
    may wait for the station, in seconds. `resends`: sent again if a crash leaves it unanswered. `allows_invalid`:
    staff insist on a payload, or an Action, that OCPP does not know; it is marked on the row. `command_id`: the
    caller's own id; asked for again, the command that has it is returned. `is_online`: the caller knows, for it asked
    for many at once, and rings for all of them itself.

    :raises CommandRefused: our rules, or another app's, forbid it. :raises InvalidPayload: against the schema.
    :raises Station.DoesNotExist: no such station.
    """
    if command_id is not None:
        known = Command.objects.select_related("station").filter(pk=command_id).first()
        if known is not None:
            return known
    station = Station.objects.get(pk=station_id)
    _check_registration(station, action)
    check_payload(action, payload, allows_invalid)
    operation = OPERATIONS.get(action)
    if resends and (operation is None or not operation.is_repeatable):
        raise CommandRefused(f"{action} does something each time it is sent: it is never sent twice")
    _check_trigger(station, action, payload)
    kept, sealed = _without_secret(action, payload)
    command = Command(
        **({} if command_id is None else {"pk": command_id}),
        station=station,
        action=action,
        payload=kept,
        sealed=sealed,
        requested_by=requested_by[:150],
        via=via,
        reason=reason[:500],
        parent=parent,
        batch=batch,
        allows_invalid=allows_invalid,
        resends=resends,
        waits=waits_s > 0,
        timeout_s=timeout_s,
        created_at=now,
        expires_at=now + timedelta(seconds=waits_s or settings.COMMAND_EXPIRY_S),
    )
    if not command.waits and not (online_ids(stations=[station]) if is_online is None else is_online):
        command.status, command.answered_at, command.succeeded = CommandStatus.NOT_CONNECTED, now, False
        command.sealed = None
        command.error = {"code": "", "description": "the station is not connected"}
        command.save(force_insert=True)
        return command
    command.save(force_insert=True)
    command.refresh_from_db(fields=["number"])
    emit(command_requested, Command, command=command)
    if is_online is None:
        publish(commands_queued, Command, station_ids=[station.pk])
    return command


@transaction.atomic
def cancel_command(*, command_id: UUID, cancelled_by: str, now: datetime) -> Command:
    """Take back a command that is still queued.

    :raises CommandNotWaiting: it is on its way, or has ended. :raises Command.DoesNotExist:
    """
    command = Command.objects.select_for_update(no_key=True, of=("self",)).select_related("station").get(pk=command_id)
    if command.status != CommandStatus.QUEUED:
        raise CommandNotWaiting(f"{command} is {command.get_status_display().lower()}")
    end_command(
        command,
        status=CommandStatus.CANCELLED,
        now=now,
        error={"code": "", "description": f"cancelled by {cancelled_by}"},
    )
    return command


def end_command(
    command: Command,
    *,
    status: str,
    now: datetime,
    succeeded: bool = False,
    error: Mapping[str, Any] | None = None,
) -> None:
    """Record the end of a locked command, and let the others act on it in the same database transaction."""
    command.status, command.answered_at, command.succeeded = status, now, succeeded
    if error is not None:
        command.error = dict(error)
    sealed, command.sealed = command.sealed, None
    command.save()
    command.sealed = sealed  # for the receivers only
    emit(command_ended, Command, command=command, now=now)
    command.sealed = None


def check_payload(action: str, payload: Mapping[str, Any], allows_invalid: bool = False) -> None:
    """Check what OCPP's schema says of a command's payload.

    :raises InvalidPayload: it breaks the schema, or cannot be sent at all.
    """
    _check_storable(payload)
    _check_schema(action, payload, allows_invalid)


def _check_registration(station: Station, action: str) -> None:
    if station.registration_status == RegistrationStatus.REJECTED:
        raise CommandRefused(f"{station.identity} is rejected: nothing is sent to it (OCPP 1.6 §4.2)")
    operation = OPERATIONS.get(action)
    if station.registration_status == RegistrationStatus.PENDING and not (operation and operation.is_for_pending):
        raise CommandRefused(f"{station.identity} is pending: it is only {PENDING_MAY} (OCPP 1.6 §4.2)")


def _check_storable(payload: Mapping[str, Any]) -> None:
    """No column holds NUL or half a surrogate pair, and no charger a number beyond 64 bits."""
    try:
        text = orjson.dumps(payload)
    except (TypeError, ValueError) as error:
        raise InvalidPayload(f"not JSON that can be sent: {error}", "") from None
    if rb"\u0000" in text:
        raise InvalidPayload("it contains a NUL character", "")


def _check_schema(action: str, payload: Mapping[str, Any], allows_invalid: bool) -> None:
    if action not in OPERATIONS:
        if allows_invalid and 0 < len(action) <= 60:
            return
        raise InvalidPayload(f"OCPP 1.6 has no command {action}", "action")
    error = schemas.request_error(action, payload)
    if error is not None and not allows_invalid:
        raise InvalidPayload(f"{error.field}: {error.message}" if error.field else error.message, error.field)


def _check_trigger(station: Station, action: str, payload: Mapping[str, Any]) -> None:
    """A station that has booted and is accepted is not asked to boot again (1.6 errata 3.40)."""
    if action in ("TriggerMessage", "ExtendedTriggerMessage") and (
        payload.get("requestedMessage") == "BootNotification"
        and station.registration_status == RegistrationStatus.ACCEPTED
        and station.last_boot_at is not None
    ):
        raise CommandRefused(f"{station.identity} is accepted: it is not asked to boot again (1.6 errata 3.40)")


def _without_secret(action: str, payload: Mapping[str, Any]) -> tuple[dict[str, Any], bytes | None]:
    """Return the payload as it may be kept and shown, and its sealed secret."""
    kept = dict(payload)
    if action != "ChangeConfiguration" or not is_secret(payload.get("key")):
        return kept, None
    value = payload.get("value")
    if not isinstance(value, str) or len(value) > MAX_AUTHORIZATION_KEY:
        raise InvalidPayload(f"an AuthorizationKey is a text of at most {MAX_AUTHORIZATION_KEY} characters", "value")
    try:
        hash_password(value)
    except (PasswordTooShort, PasswordTooLong) as error:
        raise InvalidPayload(str(error), "value") from None
    kept["value"] = MASK
    return kept, seal(value)
