"""What accepted commands lead to: the station back after a reset, firmware installed, a transaction started …"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from evcharging.db.prepared import run_prepared
from stations.file_operations import UpdateFirmware, UpdateSignedFirmware, UploadDiagnostics, UploadLog
from stations.models import Command, ExpectedEffect, NoticeKind
from stations.operations import OPERATIONS, Reset

PROGRESS_OF = {
    NoticeKind.DIAGNOSTICS.value: UploadDiagnostics.name,
    NoticeKind.LOG.value: UploadLog.name,
    NoticeKind.FIRMWARE.value: UpdateFirmware.name,
    NoticeKind.SIGNED_FIRMWARE.value: UpdateSignedFirmware.name,
}
"""Which operation a progress notification tells about."""
DONE_WORDS = frozenset({"Uploaded", "Installed"})
FAILED_WORDS = frozenset(
    {
        "UploadFailed", "UploadFailure", "DownloadFailed", "InstallationFailed", "InvalidSignature",
        "InstallVerificationFailed", "BadMessage", "NotSupportedOperation", "PermissionDenied",
    }
)  # fmt: skip
MAX_PROGRESS = 50
TIDY_BATCH = 500


@transaction.atomic
def complete_effect(*, command_id: UUID, note: str, now: datetime, is_done: bool = True) -> bool:
    """Record that what a command was to lead to has come (or never will); once, return whether it was awaited."""
    command = (
        Command.objects.select_for_update(no_key=True)
        .filter(pk=command_id, expected_effect=ExpectedEffect.WAITING)
        .first()
    )
    if command is None:
        return False
    _complete(command, note, now, is_done)
    return True


def complete_resets(*, epochs: Mapping[int, int], now: datetime) -> None:
    """Complete the resets of stations that are back on a newer connection (station id → its epoch)."""
    waiting = Command.objects.filter(
        station_id__in=list(epochs), operation=Reset.name, expected_effect=ExpectedEffect.WAITING
    )
    for command in waiting.order_by("pk").select_for_update(no_key=True):
        if command.sent_epoch is not None and command.sent_epoch < epochs[command.station_id]:
            since = command.answered_at or command.created_at
            _complete(command, f"back after {(now - since).total_seconds():.0f} s", now, True)


def note_progress(*, station_id: int, kind: str, status: str, request_id: int | None, now: datetime) -> None:
    """Add a progress notification to the command that it tells about; the last words complete it.

    Which command: the one of that request id, else the latest that is awaited.
    """
    waiting = Command.objects.filter(
        station_id=station_id, operation=PROGRESS_OF[kind], expected_effect=ExpectedEffect.WAITING
    )
    if request_id is not None:
        waiting = waiting.filter(arguments__request_id=request_id) | waiting.filter(arguments__request_id=None)
    command = waiting.order_by("-number").select_for_update(no_key=True).first()
    if command is None:
        return
    progress: list[Any] = command.progress
    entry = [now.isoformat(timespec="milliseconds"), status[:50]]
    if entry not in progress and len(progress) < MAX_PROGRESS:
        progress.append(entry)
    if status in DONE_WORDS or status in FAILED_WORDS:
        _complete(command, status, now, status in DONE_WORDS)
    else:
        command.save(update_fields=["progress"])


def note_boot(*, station_id: int, now: datetime) -> None:
    """A boot completes a reset that was answered before it, on whatever connection."""
    waiting = Command.objects.filter(
        station_id=station_id, operation=Reset.name, expected_effect=ExpectedEffect.WAITING
    )
    for command in waiting.order_by("pk").select_for_update(no_key=True):
        since = command.answered_at or command.created_at
        _complete(command, f"booted after {(now - since).total_seconds():.0f} s", now, True)


@transaction.atomic
def give_up_effects(*, now: datetime) -> int:
    """Give up what did not come in time; return how many."""
    overdue = Command.objects.filter(expected_effect=ExpectedEffect.WAITING, effect_due_at__lte=now)
    rows = overdue.order_by("effect_due_at").select_for_update(no_key=True, skip_locked=True)[:TIDY_BATCH]
    for command in rows:
        kind = OPERATIONS.get(command.operation)
        _complete(command, kind.without_effect if kind else "nothing more was heard of it", now, False)
    return len(rows)


def stations_awaiting(*, station_ids: Iterable[int], operation: str) -> set[int]:
    """Return which stations have such a command whose answer or sequel is to come; a look into partial indexes."""
    ids = list(set(station_ids))
    rows = run_prepared(
        """
        SELECT station_id FROM stations_command
            WHERE station_id = ANY(%s::bigint[]) AND operation = %s::text AND expected_effect = 'waiting'
        UNION
        SELECT station_id FROM stations_command
            WHERE station_id = ANY(%s::bigint[]) AND operation = %s::text AND status = 'sent'
        """,
        [ids, operation, ids, operation],
    )
    return {station_id for (station_id,) in rows}


def _complete(command: Command, note: str, now: datetime, is_done: bool) -> None:
    command.expected_effect = ExpectedEffect.DONE if is_done else ExpectedEffect.FAILED
    command.effect_at, command.effect_note = now, note[:200]
    command.save(update_fields=["expected_effect", "effect_at", "effect_note", "progress"])
