"""manage.py ocpp: send a command to one station or to many, and wait for the answers."""

import getpass
import json
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from tqdm import tqdm

from stations.dialects import dialect_of
from stations.models import Command as StationCommand
from stations.models import CommandBatch, CommandVia, Station
from stations.payload_arguments import BadWord, payload_of
from stations.selectors import BatchProgress, UnknownFilter, batch_progress, stations_matching, wait_until_ended
from stations.services.batches import create_batch, stop_batch
from stations.services.commands import CommandRefused, read_frame, request_command
from stations.types import Origin

POLL_S = 0.5


class Command(BaseCommand):
    help = (
        "Send an OCPP command: ocpp CP-1 Reset type=Soft --wait, or to many: ocpp --filter vendor=ABB --filter online "
        "GetConfiguration. Exit code 0 if all commands succeeded (with --wait) or were queued."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("words", nargs="+", metavar="[identity] action [key=value]")
        parser.add_argument("--filter", action="append", metavar="FIELD=VALUE", help="of many stations; repeatable")
        parser.add_argument("--json", metavar="FILE", help="payload as JSON; - for standard input")
        parser.add_argument("--wait", nargs="?", type=float, const=60.0, metavar="S", help="wait for answers (60 s)")
        parser.add_argument("--timeout", type=float, help="time for the station to answer, s")
        parser.add_argument("--queue", type=float, default=0, metavar="S", help="time for the station to connect")
        parser.add_argument("--resend", action="store_true", help="send again if a crash left it unanswered")
        parser.add_argument("--any-payload", action="store_true", help="send although it violates OCPP's schema")
        parser.add_argument("--rate", type=float, default=20, help="stations per second, with --filter")
        parser.add_argument("--reason", default="", help="stored with the command")

    def handle(self, *args: Any, **options: Any) -> None:
        """Request the command or the batch.

        :raises CommandError: it was refused, or did not succeed.
        """
        words: list[str] = options["words"]
        many = options["filter"]
        identity = "" if many else words.pop(0)
        if not words:
            actions = ", ".join(dialect_of("").actions())
            raise CommandError(f"an action is missing: one of {actions}")
        action, *rest = words
        try:
            payload = _read(options["json"]) if options["json"] else payload_of(action, rest)
            if many:
                self._command_many(many, action, payload, options)
            else:
                self._command_one(identity, action, payload, options)
        except (BadWord, CommandRefused, UnknownFilter) as error:
            raise CommandError(str(error)) from None

    def _command_one(self, identity: str, action: str, payload: dict[str, Any], options: dict[str, Any]) -> None:
        station = Station.objects.with_identity(identity).first()
        if station is None:
            raise CommandError(f"no station {identity}")
        command = request_command(
            station_id=station.pk,
            operation=read_frame(action=action, payload=payload, allows_invalid=options["any_payload"]),
            origin=_origin(options),
            timeout_s=options["timeout"],
            resends=options["resend"],
            allows_invalid=options["any_payload"],
        )
        if options["wait"] is not None:
            command = wait_until_ended(command_id=command.pk, timeout_s=options["wait"])
        self.stdout.write(_description(command))
        if command.has_ended and not command.succeeded:
            raise CommandError(_failure(command))
        if options["wait"] is not None and not command.has_ended:
            raise CommandError(f"no answer within {options['wait']:g} s; the command continues")

    def _command_many(self, words: list[str], action: str, payload: dict[str, Any], options: dict[str, Any]) -> None:
        stations = stations_matching(words)
        batch = create_batch(
            station_ids=stations.values_list("pk", flat=True),
            operation=read_frame(action=action, payload=payload, allows_invalid=options["any_payload"]),
            origin=_origin(options),
            selection=" ".join(words),
            stations_per_second=options["rate"],
            allows_invalid=options["any_payload"],
        )
        self.stdout.write(f"batch {batch.pk}")
        if options["wait"] is not None:
            self._follow(batch, options["wait"])

    def _follow(self, batch: CommandBatch, stalled_s: float) -> None:
        """Show progress until all stations have a result, or none changed for `stalled_s`; Ctrl-C stops the batch."""
        progress = batch_progress(batch_id=batch.pk)
        changed_at = time.monotonic()
        try:
            with tqdm(total=progress.total, unit="station", file=sys.stderr) as bar:
                while progress.waiting or progress.pending:
                    time.sleep(POLL_S)
                    before, progress = progress, batch_progress(batch_id=batch.pk)
                    bar.update(_done(progress) - bar.n)
                    if progress != before:
                        changed_at = time.monotonic()
                    if time.monotonic() - changed_at > stalled_s:
                        raise CommandError(f"stalled for {stalled_s:g} s; the batch continues: {_summary(progress)}")
        except KeyboardInterrupt:
            stop_batch(batch_id=batch.pk, stopped_by=getpass.getuser(), now=timezone.now())
            raise CommandError(f"stopped: {_summary(batch_progress(batch_id=batch.pk))}") from None
        failed = batch.items.exclude(command__succeeded=True).select_related("station", "command").order_by("pk")
        for item in failed[:1000]:
            reason = item.refusal if item.command is None else _failure(item.command)
            self.stderr.write(f"{item.station.identity}: {reason}")
        self.stdout.write(_summary(progress))
        if progress.succeeded != progress.total:
            raise CommandError(f"{progress.total - progress.succeeded} commands did not succeed")


def _origin(options: dict[str, Any]) -> Origin:
    return Origin(getpass.getuser(), CommandVia.SHELL, timezone.now(), options["reason"], options["queue"])


def _read(name: str) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text()
        payload = json.loads(text)
    except (OSError, ValueError) as error:
        raise CommandError(f"{name}: {error}") from None
    if not isinstance(payload, dict):
        raise CommandError(f"{name}: a payload is a JSON object")
    return payload


def _description(command: StationCommand) -> str:
    lines = [f"{command.station} {command.action} {command.pk}: {command.status} {command.result_status}".strip()]
    if command.response:
        lines.append(json.dumps(command.response, indent=2, ensure_ascii=False))
    return "\n".join(lines)


def _failure(command: StationCommand) -> str:
    error = command.error or {}
    words = [command.result_status or command.get_status_display(), error.get("code"), error.get("description")]
    return ": ".join(word for word in words if word)


def _done(progress: BatchProgress) -> int:
    return progress.succeeded + progress.failed + progress.refused


def _summary(progress: BatchProgress) -> str:
    return (
        f"{progress.succeeded} of {progress.total} succeeded, {progress.failed} failed, {progress.refused} refused, "
        f"{progress.waiting + progress.pending} open"
    )
