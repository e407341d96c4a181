"""One action over many stations: a job that any process carries on, at the pace that was asked for."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from evcharging.events import publish
from stations.dialects import Frame, dialect_of
from stations.models import CommandBatch, CommandBatchItem, CommandStatus, Station
from stations.operations import Operation, RawFrame, read_operation
from stations.secrets import unseal
from stations.selectors import online_ids
from stations.services.commands import (
    CommandRefused,
    end_command,
    frame_of,
    kind_of,
    request_command,
    without_secret,
)
from stations.signals import commands_queued
from stations.types import Origin

MOST_AT_ONCE = 50
"""Stations commanded in one database transaction: the first are on their way before the last are thought of."""
MOST_BEHIND = timedelta(seconds=5)
BUDGET = 20
"""Transactions of one turn: other work of the thread's pool must not wait for a large batch."""


class BatchNotRunning(Exception):
    """The batch has been stopped, or has ended."""


class NothingToRetry(Exception):
    """No station of the batch failed."""


@transaction.atomic
def create_batch(
    *,
    station_ids: Iterable[int],
    operation: Operation | RawFrame,
    origin: Origin,
    selection: str = "",
    stations_per_second: float = 20,
    allows_invalid: bool = False,
    batch_id: UUID | None = None,
) -> CommandBatch:
    """Begin a job that sends one command to each of these stations; each is checked when its turn comes, and told in
    the words of its own protocol version.

    `batch_id`: the caller's own id; asked for again, the batch that has it is returned.

    :raises InvalidPayload: against the schema. :raises CommandRefused: what must not be sent to many, or to none.
    """
    known_batch = CommandBatch.objects.filter(pk=batch_id).first() if batch_id is not None else None
    if known_batch is not None:
        return known_batch
    dialect = dialect_of(operation.version if isinstance(operation, RawFrame) else "")
    kind, frame = kind_of(operation, dialect), frame_of(operation, dialect, allows_invalid)
    if (kind is None and not allows_invalid) or (kind is not None and not kind.is_for_many):
        raise CommandRefused(f"{frame.action} is not for many stations at once")
    kept = without_secret(operation, frame, dialect)
    known = Station.objects.filter(pk__in=list(station_ids)).order_by("identity").values_list("pk", flat=True)
    batch = CommandBatch(
        **({} if batch_id is None else {"pk": batch_id}),
        operation="" if kind is None else kind.name,
        arguments=kept.arguments,
        raw_version=operation.version if isinstance(operation, RawFrame) else "",
        action=frame.action,
        payload=kept.payload,
        sealed=kept.sealed,
        selection=selection[:500],
        requested_by=origin.requested_by[:150],
        via=origin.via,
        reason=origin.reason[:500],
        stations_per_second=max(stations_per_second, 0.1),
        waits_s=int(origin.waits_s),
        allows_invalid=allows_invalid,
        created_at=origin.now,
    )
    items = [CommandBatchItem(batch=batch, station_id=pk) for pk in known]
    if not items:
        raise CommandRefused("no station is chosen")
    batch.save(force_insert=True)
    CommandBatchItem.objects.bulk_create(items, batch_size=1000)
    return batch


def advance_batches(*, now: datetime) -> int:
    """Command the next stations of every running batch, as many as its pace allows; return how many.

    Any process may call it at any time: a batch is advanced by one at a time, and each station is commanded once.
    """
    running = CommandBatch.objects.filter(ended_at=None).order_by("created_at").values_list("pk", flat=True)
    return sum(_catch_up(pk, now) for pk in list(running))


def _catch_up(batch_id: UUID, now: datetime) -> int:
    """Advance a batch in small transactions until it is as far as its pace allows by now."""
    commanded = 0
    for _ in range(BUDGET):
        step = _advance(batch_id, now)
        commanded += step
        if step < MOST_AT_ONCE:
            break
    return commanded


@transaction.atomic
def _advance(batch_id: UUID, now: datetime) -> int:
    batch = CommandBatch.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=batch_id).first()
    if batch is None or batch.ended_at is not None:
        return 0
    commanded = _command_next(batch, now) if batch.stopped_at is None else 0
    waiting = batch.items.filter(commanded_at=None)
    if not commanded and (batch.stopped_at is not None or not waiting.exists()):
        if not batch.commands.unfinished().exists():  # type: ignore[attr-defined]
            batch.ended_at = now
            batch.save(update_fields=["ended_at"])
    return commanded


def _command_next(batch: CommandBatch, now: datetime) -> int:
    # What was missed while no server ran is not caught up with at once: the pace is there for a reason.
    since = max(batch.advanced_at or batch.created_at, now - MOST_BEHIND)
    due = int((now - since).total_seconds() * batch.stations_per_second)
    if batch.advanced_at is None:
        due = max(due, 1)
    if due < 1:
        return 0
    taken = min(due, MOST_AT_ONCE)
    items = batch.items.filter(commanded_at=None).order_by("pk").select_for_update(of=("self",))
    chosen = list(items.select_related("station")[:taken])
    online = online_ids(stations=[item.station for item in chosen])
    operation = _operation_of(batch)
    for item in chosen:
        item.commanded_at = now
        try:
            item.command = request_command(
                station_id=item.station_id,
                operation=operation,
                origin=Origin(batch.requested_by, batch.via, now, batch.reason, batch.waits_s),
                allows_invalid=batch.allows_invalid,
                batch=batch,
                is_online=item.station_id in online,
            )
        except CommandRefused as error:
            item.refusal = str(error)[:300]
    CommandBatchItem.objects.bulk_update(chosen, ["commanded_at", "command", "refusal"])
    # The clock moves on by what was taken, and no more: what is due beyond it, and fractions of a station, stay due.
    batch.advanced_at = since + timedelta(seconds=taken / batch.stations_per_second)
    batch.save(update_fields=["advanced_at"])
    publish(
        commands_queued, CommandBatch, station_ids=[item.station_id for item in chosen if item.command is not None]
    )
    return len(chosen)


def _operation_of(batch: CommandBatch) -> Operation | RawFrame:
    secret = None if batch.sealed is None else unseal(batch.sealed)
    if batch.raw_version:
        frame = Frame(batch.action, batch.payload)
        member = dialect_of(batch.raw_version).secret_member(frame)
        payload = frame.payload if member is None or secret is None else {**frame.payload, member: secret}
        return RawFrame(batch.raw_version, batch.action, payload)
    arguments = batch.arguments if secret is None else {**batch.arguments, "value": secret}
    return read_operation(batch.operation, arguments)


@transaction.atomic
def stop_batch(*, batch_id: UUID, stopped_by: str, now: datetime) -> CommandBatch:
    """Command no further station; what is sent already runs on, what is queued is taken back.

    :raises BatchNotRunning:
    """
    batch = CommandBatch.objects.select_for_update(no_key=True).get(pk=batch_id)
    if not batch.is_running:
        raise BatchNotRunning("the batch does not run")
    batch.stopped_at, batch.stopped_by = now, stopped_by[:150]
    batch.save(update_fields=["stopped_at", "stopped_by"])
    _cancel_queued(batch, stopped_by, now)
    return batch


@transaction.atomic
def resume_batch(*, batch_id: UUID, now: datetime) -> CommandBatch:
    """Go on with a stopped batch's remaining stations.

    :raises BatchNotRunning: it was not stopped, or none remain.
    """
    batch = CommandBatch.objects.select_for_update(no_key=True).get(pk=batch_id)
    if batch.stopped_at is None or not batch.items.filter(commanded_at=None).exists():
        raise BatchNotRunning("nothing remains to be done")
    batch.stopped_at, batch.stopped_by, batch.ended_at, batch.advanced_at = None, "", None, now
    batch.save(update_fields=["stopped_at", "stopped_by", "ended_at", "advanced_at"])
    return batch


@transaction.atomic
def retry_batch(*, batch_id: UUID, now: datetime) -> int:
    """Command the stations again that were refused, failed or said no; return how many. Earlier commands are kept.

    :raises NothingToRetry: none failed.
    """
    batch = CommandBatch.objects.select_for_update(no_key=True).get(pk=batch_id)
    failed = batch.items.filter(Q(command__succeeded=False) | ~Q(refusal=""))
    again = failed.update(command=None, refusal="", commanded_at=None)
    if not again:
        raise NothingToRetry("no station of the batch failed")
    batch.stopped_at, batch.stopped_by, batch.ended_at, batch.advanced_at = None, "", None, now
    batch.save(update_fields=["stopped_at", "stopped_by", "ended_at", "advanced_at"])
    return again


def _cancel_queued(batch: CommandBatch, stopped_by: str, now: datetime) -> None:
    queued = batch.commands.filter(status=CommandStatus.QUEUED).select_related("station")
    error = {"code": "", "description": f"the batch was stopped by {stopped_by}"}
    for command in queued.order_by("number").select_for_update(no_key=True, of=("self",)):
        end_command(command, status=CommandStatus.CANCELLED, now=now, error=error)
