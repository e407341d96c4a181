"""Commands to stations: requested by staff, programs or the system itself; refused before a row is written."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.conf import settings
from django.db import transaction

from evcharging.events import emit, publish
from stations.dialects import Dialect, Frame, Unsayable, dialect_of
from stations.models import Command, CommandBatch, CommandStatus, RegistrationStatus, Station
from stations.operations import BOOT, PENDING_MAY, ChangeConfiguration, Operation, RawFrame, TriggerMessage
from stations.passwords import PasswordTooLong, PasswordTooShort, hash_password
from stations.secrets import MASK, seal
from stations.selectors import online_ids
from stations.signals import command_ended, command_requested, commands_queued
from stations.types import Origin

MAX_ACTION = 60


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
    operation: Operation | RawFrame,
    origin: Origin,
    timeout_s: float | None = None,
    resends: bool = False,
    allows_invalid: bool = False,
    parent: Command | None = None,
    batch: CommandBatch | None = None,
    command_id: UUID | None = None,
    is_online: bool | None = None,
) -> Command:
    """Queue one CALL to a station; whoever holds its socket sends it once those before it are answered.

    The row keeps the operation, and the frame as the station's present protocol version says it; the frame is built
    anew when the command is sent. A station that is not connected fails the command at once (status not_connected),
    unless `origin.waits_s` says how long it may wait. `resends`: sent again if a crash leaves it unanswered.
    `allows_invalid`: staff insist on what OCPP's schema refuses; it is marked on the row, and no app's rules are held
    against it. `command_id`: the caller's own id; asked for again, the command that has it is returned. `is_online`:
    the caller knows, for it asked for many at once, and notifies the gateway of all of them itself.

    :raises CommandRefused: our rules, or another app's, forbid it, or the station's version has no words for it.
    :raises InvalidPayload: against the schema. :raises Station.DoesNotExist: no such station.
    """
    if command_id is not None:
        known = Command.objects.select_related("station").filter(pk=command_id).first()
        if known is not None:
            return known
    station, now = Station.objects.get(pk=station_id), origin.now
    dialect = dialect_of(station.version)
    kind = kind_of(operation, dialect)
    _check_registration(station, kind)
    frame = frame_of(operation, dialect, allows_invalid)
    if resends and (kind is None or not kind.is_repeatable):
        raise CommandRefused(f"{frame.action} does something each time it is sent: it is never sent twice")
    _check_trigger(station, operation)
    kept = without_secret(operation, frame, dialect)
    command = Command(
        **({} if command_id is None else {"pk": command_id}),
        station=station,
        operation="" if kind is None else kind.name,
        arguments=kept.arguments,
        raw_version=operation.version if isinstance(operation, RawFrame) else "",
        version=dialect.version,
        action=frame.action,
        payload=kept.payload,
        sealed=kept.sealed,
        requested_by=origin.requested_by[:150],
        via=origin.via,
        reason=origin.reason[:500],
        parent=parent,
        batch=batch,
        allows_invalid=allows_invalid,
        resends=resends,
        waits=origin.waits_s > 0,
        timeout_s=timeout_s,
        created_at=now,
        expires_at=now + timedelta(seconds=origin.waits_s or settings.COMMAND_EXPIRY_S),
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


def read_frame(
    *, action: str, payload: Mapping[str, Any], version: str = "", allows_invalid: bool = False
) -> Operation | RawFrame:
    """Return what a frame in the words of a protocol version asks for: an operation, or the frame as it is.

    :param version: as in Sec-WebSocket-Protocol; "" for the first one.
    :raises InvalidPayload: it breaks the schema and nobody insists, or it cannot be sent at all.
    """
    _check_storable(payload)
    dialect = dialect_of(version)
    if not _check_schema(dialect, Frame(action, dict(payload)), allows_invalid):
        operation = dialect.operation(action, payload)
        if operation is not None:
            return operation
    return RawFrame(dialect.version, action, payload)


def kind_of(operation: Operation | RawFrame, dialect: Dialect) -> type[Operation] | None:
    """Return which operation this is, also of a raw frame whose Action says one."""
    return dialect.operation_of(operation.action) if isinstance(operation, RawFrame) else type(operation)


def _check_registration(station: Station, kind: type[Operation] | None) -> None:
    if station.registration_status == RegistrationStatus.REJECTED:
        raise CommandRefused(f"{station.identity} is rejected: nothing is sent to it (OCPP 1.6 §4.2)")
    if station.registration_status == RegistrationStatus.PENDING and not (kind and kind.is_for_pending):
        raise CommandRefused(f"{station.identity} is pending: it is only {PENDING_MAY} (OCPP 1.6 §4.2)")


def frame_of(operation: Operation | RawFrame, dialect: Dialect, allows_invalid: bool) -> Frame:
    """Return the frame that a dialect says an operation with, as it may be sent.

    :raises CommandRefused: it has no words for it. :raises InvalidPayload: against its schema, and nobody insists.
    """
    try:
        frame = dialect.frame(operation)
    except Unsayable as error:
        raise CommandRefused(str(error)) from None
    _check_storable(frame.payload)
    _check_schema(dialect, frame, allows_invalid)
    return frame


def _check_storable(payload: Mapping[str, Any]) -> None:
    """No column holds NUL or half a surrogate pair, and no charger a number beyond 64 bits."""
    try:
        text = orjson.dumps(payload)
    except (TypeError, ValueError) as error:
        raise InvalidPayload(f"not JSON that can be sent: {error}", "") from None
    if rb"\u0000" in text:
        raise InvalidPayload("it contains a NUL character", "")


def _check_schema(dialect: Dialect, frame: Frame, allows_invalid: bool) -> bool:
    """Return whether the frame breaks the schema, where somebody insists on it.

    :raises InvalidPayload: it does, and nobody insists.
    """
    problem = dialect.problem(frame)
    if problem is None:
        return False
    if allows_invalid and 0 < len(frame.action) <= MAX_ACTION:
        return True
    is_in_payload = problem.field and problem.field != "action"
    raise InvalidPayload(f"{problem.field}: {problem.message}" if is_in_payload else problem.message, problem.field)


def _check_trigger(station: Station, operation: Operation | RawFrame) -> None:
    """A station that has booted and is accepted is not asked to boot again (1.6 errata 3.40)."""
    if isinstance(operation, TriggerMessage) and (
        operation.message == BOOT
        and station.registration_status == RegistrationStatus.ACCEPTED
        and station.last_boot_at is not None
    ):
        raise CommandRefused(f"{station.identity} is accepted: it is not asked to boot again (1.6 errata 3.40)")


class Kept(NamedTuple):
    """What the row keeps of a command, its secret apart."""

    arguments: dict[str, Any]
    payload: dict[str, Any]
    sealed: bytes | None


def without_secret(operation: Operation | RawFrame, frame: Frame, dialect: Dialect) -> Kept:
    """Return what may be kept and shown of an operation and its frame, with the secret sealed.

    :raises InvalidPayload: the secret is no password that a station may have.
    """
    arguments = {} if isinstance(operation, RawFrame) else operation.to_json()
    member = dialect.secret_member(frame)
    if member is None:
        return Kept(arguments, frame.payload, None)
    secret = frame.payload.get(member)
    problem = dialect.secret_problem(secret)
    if problem:
        raise InvalidPayload(problem, member)
    assert isinstance(secret, str)
    try:
        hash_password(secret)
    except (PasswordTooShort, PasswordTooLong) as error:
        raise InvalidPayload(str(error), member) from None
    if isinstance(operation, ChangeConfiguration):
        arguments["value"] = MASK
    return Kept(arguments, {**frame.payload, member: MASK}, seal(secret))
