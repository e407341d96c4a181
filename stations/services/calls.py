"""What the gateway does with commands: takes them to the socket, one at a time per station, and records their ends."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import connection, transaction

from evcharging.events import publish
from stations.dialects import Frame, dialect_of
from stations.models import Command, CommandStatus, ExpectedEffect
from stations.operations import OPERATIONS, BadArguments, Operation, RawFrame, read_operation
from stations.secrets import unseal
from stations.services.commands import end_command
from stations.services.expected_effects import complete_resets
from stations.signals import commands_queued

logger = logging.getLogger(__name__)

LOST = "lost"
CONNECTION_LOST = {"code": "", "description": "the connection was lost before the answer"}
PROCESS_LOST = {"code": "", "description": "the process that sent it ended before the answer"}
GRACE = timedelta(seconds=5)
"""How much longer than the time-out a sent command may stand before another process ends it."""
TIDY_BATCH = 500


class Claim(NamedTuple):
    """A connection that can send: it owns the station and has no CALL outstanding."""

    station_id: int
    epoch: int
    now: datetime


class ClaimedCommand(NamedTuple):
    """A command to send now. `timeout_s`: how long to wait for the answer, in seconds.

    `version`, `action`: of the frame that the row shows. `secret`: what takes the place of the mask in the frame.
    `problem`: why it cannot be sent after all.
    """

    id: UUID
    operation: Operation | RawFrame
    version: str
    action: str
    timeout_s: float
    allows_invalid: bool
    secret: str | None = None
    problem: str = ""


class CallOutcome(NamedTuple):
    """How a CALL ended: `status` is answered, call_error or timed_out, or LOST where the socket closed before.

    `response` is the payload of a CALLRESULT as it came; `raw` is the frame where it was not as specified. `sent` is
    the frame that was sent in another `version` than the row shows, its secret masked.
    """

    command_id: UUID
    epoch: int
    status: str
    now: datetime
    result_status: str = ""
    response: Any = None
    error: dict[str, Any] | None = None
    raw: str = ""
    version: str = ""
    sent: Frame | None = None


_SETTLE = """
    SELECT c.id FROM stations_command c
    JOIN unnest(%s::bigint[], %s::bigint[]) AS v(station_id, epoch) ON v.station_id = c.station_id
    WHERE c.status = 'sent' AND c.sent_epoch < v.epoch
    ORDER BY c.id FOR NO KEY UPDATE OF c
"""
# Materialised, since a plan that runs the inner LIMIT again for each row would claim several.
_CLAIM = """
    WITH picked AS MATERIALIZED (
        SELECT q.id, s.connection_epoch AS epoch, s.call_timeout_s AS timeout_s, w.now
        FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[]) AS w(station_id, epoch, now)
        JOIN stations_station s ON s.id = w.station_id AND s.connection_epoch = w.epoch
        CROSS JOIN LATERAL (
            SELECT id FROM stations_command
            WHERE station_id = w.station_id AND status = 'queued' AND expires_at > w.now
            ORDER BY number LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
        ) AS q
        WHERE NOT EXISTS (SELECT 1 FROM stations_command o WHERE o.station_id = w.station_id AND o.status = 'sent')
    )
    UPDATE stations_command AS c SET
        status = 'sent', sent_at = p.now, sent_epoch = p.epoch, attempts = c.attempts + 1,
        answer_due_at = p.now + make_interval(secs => COALESCE(c.timeout_s, p.timeout_s, %s))
    FROM picked p
    WHERE c.id = p.id AND c.status = 'queued'
    RETURNING c.station_id, c.id, c.operation, c.arguments::text, c.raw_version, c.version, c.action,
        CASE WHEN c.raw_version = '' THEN NULL ELSE c.payload::text END, c.sealed,
        extract(epoch FROM c.answer_due_at - c.sent_at)::float8, c.allows_invalid
"""


@transaction.atomic
def claim_commands(*, claims: Sequence[Claim]) -> list[ClaimedCommand | None]:
    """Give each connection its station's next command to send, None where there is none or it lost the station.

    What an earlier connection of the station left unanswered is ended first; and what was to follow a Reset has come,
    for the station is back. A command is claimed once, whoever asks.
    """
    stations = [claim.station_id for claim in claims]
    epochs = [claim.epoch for claim in claims]
    now = claims[0].now
    with connection.cursor() as cursor:
        cursor.execute(_SETTLE, [stations, epochs])
        lost = [pk for (pk,) in cursor.fetchall()]
    end_unanswered(command_ids=lost, error=CONNECTION_LOST, now=now)
    complete_resets(epochs=dict(zip(stations, epochs, strict=True)), now=now)
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [stations, epochs, [claim.now for claim in claims], settings.OCPP_CALL_TIMEOUT_S])
        found = {row[0]: _claimed(row[1:]) for row in cursor.fetchall()}
    return [found.pop(station_id, None) for station_id in stations]


def _claimed(row: tuple[Any, ...]) -> ClaimedCommand:
    pk, name, arguments, raw_version, version, action, payload, sealed, timeout_s, allows_invalid = row
    problem, secret = "", None
    operation: Operation | RawFrame = RawFrame(raw_version, action, orjson.loads(payload) if payload else {})
    if not raw_version:
        try:
            operation = read_operation(name, orjson.loads(arguments))
        except BadArguments as error:  # kept by a later release
            problem = f"{name}: {error}"
    if sealed is not None:
        try:
            secret = unseal(sealed)
        except InvalidToken:
            problem = "its secret was sealed under another SECRET_KEY: all processes of a system need the same"
            logger.error("command %s: %s", pk, problem)
    return ClaimedCommand(pk, operation, version, action, timeout_s, allows_invalid, secret, problem)


@transaction.atomic
def record_outcomes(*, outcomes: Sequence[CallOutcome]) -> list[bool]:
    """Record how CALLs ended, with what that means for our own state; return for each whether it was still open."""
    by_id = {outcome.command_id: outcome for outcome in outcomes}
    locked = Command.objects.filter(pk__in=by_id).select_related("station").order_by("pk")
    rows = {row.pk: row for row in locked.select_for_update(no_key=True, of=("self",))}
    recorded = []
    for outcome in outcomes:
        row = rows.get(outcome.command_id)
        is_open = row is not None and row.status == CommandStatus.SENT and row.sent_epoch == outcome.epoch
        recorded.append(is_open)
        if row is not None and is_open:
            if outcome.status == LOST:
                _end_or_queue_again(row, CONNECTION_LOST, outcome.now)
            else:
                _record(row, outcome)
    return recorded


def _record(command: Command, outcome: CallOutcome) -> None:
    if outcome.sent is not None:
        command.version, command.action, command.payload = outcome.version, *outcome.sent
    dialect = dialect_of(command.version)
    command.result_status = outcome.result_status[:100]
    command.response = dialect.without_secrets(command.action, outcome.response)
    is_leak = command.response != outcome.response
    command.raw_answer = "" if is_leak else outcome.raw.replace("\x00", "␀")
    succeeded = outcome.status == CommandStatus.ANSWERED and outcome.error is None
    reading = dialect.reading(command.action, outcome.result_status, command.response) if succeeded else None
    if reading is not None:
        command.verdict, succeeded, command.result = reading
    kind = OPERATIONS.get(command.operation)
    if succeeded and kind is not None and kind.effect_within_s:
        command.expected_effect = ExpectedEffect.WAITING
        command.effect_due_at = outcome.now + timedelta(seconds=kind.effect_within_s)
    end_command(command, status=outcome.status, now=outcome.now, succeeded=succeeded, error=outcome.error)


@transaction.atomic
def record_late_answer(*, command_id: UUID, station_id: int, answer: Any, now: datetime) -> bool:
    """Keep an answer that came after the end of its command; it changes nothing else. The first one is kept."""
    row = Command.objects.select_for_update(no_key=True).filter(pk=command_id, station_id=station_id).first()
    if row is None or row.status in (CommandStatus.QUEUED, CommandStatus.SENT, CommandStatus.ANSWERED):
        return False
    dialect = dialect_of(row.version)
    if row.late_answered_at is not None or dialect.secret_member(Frame(row.action, row.payload)) is not None:
        return False
    row.late_answer, row.late_answered_at = dialect.without_secrets(row.action, answer), now
    row.save(update_fields=["late_answer", "late_answered_at"])
    return True


def end_unanswered(*, command_ids: Iterable[UUID], error: dict[str, str], now: datetime) -> None:
    """End sent commands whose answer cannot come any more; those that may be sent twice are queued again."""
    rows = Command.objects.filter(pk__in=list(command_ids), status=CommandStatus.SENT).select_related("station")
    for command in rows.order_by("pk").select_for_update(no_key=True, of=("self",)):
        _end_or_queue_again(command, error, now)


def _end_or_queue_again(command: Command, error: dict[str, str], now: datetime) -> None:
    if command.resends and command.expires_at > now:
        command.status, command.answer_due_at = CommandStatus.QUEUED, None
        command.save(update_fields=["status", "answer_due_at"])
        publish(commands_queued, Command, station_ids=[command.station_id])
    else:
        end_command(command, status=CommandStatus.TIMED_OUT, now=now, error=error)


@transaction.atomic
def fail_unwaiting(*, station_id: int, epoch: int, now: datetime) -> int:
    """End what is queued for a station that has just left and what its connection had sent; return how many.

    Commands that wait for the station stay queued.
    """
    lost = Command.objects.filter(station_id=station_id, status=CommandStatus.SENT, sent_epoch=epoch)
    lost_ids = list(lost.values_list("pk", flat=True))
    end_unanswered(command_ids=lost_ids, error=CONNECTION_LOST, now=now)
    ended = len(lost_ids)
    queued = Command.objects.filter(
        station_id=station_id, status=CommandStatus.QUEUED, waits=False, station__connection_epoch=epoch
    ).select_related("station")
    for command in queued.order_by("number").select_for_update(no_key=True, of=("self",)):
        description = "the station left before it was sent"
        end_command(
            command, status=CommandStatus.NOT_CONNECTED, now=now, error={"code": "", "description": description}
        )
        ended += 1
    return ended


@transaction.atomic
def tidy_commands(*, now: datetime) -> int:
    """End queued commands that expired, and sent ones whose process is gone; return how many. Any process may."""
    locking = {"no_key": True, "skip_locked": True, "of": ("self",)}
    expired = Command.objects.filter(status=CommandStatus.QUEUED, expires_at__lte=now).select_related("station")
    ended = 0
    for command in expired.order_by("expires_at").select_for_update(**locking)[:TIDY_BATCH]:  # type: ignore[arg-type]
        error = {"code": "", "description": "it could not be sent in time"}
        end_command(command, status=CommandStatus.EXPIRED, now=now, error=error)
        ended += 1
    lost = Command.objects.filter(status=CommandStatus.SENT, answer_due_at__lte=now - GRACE)
    ids = [row.pk for row in lost.order_by("answer_due_at").select_for_update(**locking)[:TIDY_BATCH]]  # type: ignore[arg-type]
    end_unanswered(command_ids=ids, error=PROCESS_LOST, now=now)
    return ended + len(ids)
