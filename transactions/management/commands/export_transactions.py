"""manage.py export_transactions: write transactions to CSV or XLSX."""

import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, BooleanOptionalAction
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet
from tqdm import tqdm

from evcharging.atomic_files import atomic_write
from evcharging.tables.table import parse_time
from evcharging.tables.writers import WRITERS
from transactions.export import COLUMNS, UnknownStation, selected_transactions, transaction_rows
from transactions.models import Closing, Transaction


class Command(BaseCommand):
    help = (
        "Write transactions to a CSV or XLSX file, ordered by start and id. Registers and energy are in Wh, times in "
        "UTC. An existing file is replaced atomically."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="default: stdout")
        parser.add_argument("--format", choices=WRITERS, help="default: by the suffix of FILE, else csv")
        parser.add_argument("--since", type=_time, metavar="TIME", help="started at or after, as 2026-03-01T12:00:00Z")
        parser.add_argument("--until", type=_time, metavar="TIME", help="started before")
        for name, what in (("--station", "identity"), ("--id-tag", "id tag")):
            parser.add_argument(
                name, action="append", default=[], metavar=what.upper(), help=f"of this {what}; repeatable"
            )
        parser.add_argument(
            "--closing",
            action="append",
            default=[],
            choices=Closing.values,
            help="repeatable",
        )
        parser.add_argument(
            "--suspicious", action=BooleanOptionalAction, help="with marks for review before billing, or without"
        )

    def handle(self, *args: Any, file: Path | None, **options: Any) -> None:
        """Write the table, and its counts to stderr.

        :raises CommandError: it is not written completely.
        """
        kind = options["format"] or ("xlsx" if file is not None and file.suffix.lower() == ".xlsx" else "csv")
        if kind == "xlsx" and file is None and sys.stdout.isatty():
            raise CommandError("an Excel file cannot be written to a terminal: name a FILE")
        try:
            transactions = selected_transactions(
                since=options["since"],
                until=options["until"],
                identities=options["station"],
                id_tags=options["id_tag"],
                closings=options["closing"],
                is_suspicious=options["suspicious"],
            )
        except UnknownStation as error:
            raise CommandError(f"no station {str(error)!r}") from None
        try:
            with _stdout() if file is None else atomic_write(file, mode=0o666) as stream:
                counts = _write(stream, kind, transactions)
        except OSError as error:
            raise CommandError(f"{file or 'stdout'}: {error.strerror or error}") from None
        self.stderr.write(counts)


def _time(text: str) -> datetime:
    try:
        return parse_time(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def _write(stream: BinaryIO, kind: str, transactions: QuerySet[Transaction]) -> str:
    """Write the table and return its counts as text."""
    writer = WRITERS[kind](stream, title="Transactions", columns=COLUMNS)
    count = open_count = suspicious_count = 0
    # disable=None: no bar unless stderr is a terminal
    for row in tqdm(transaction_rows(transactions), unit=" rows", disable=None, leave=False, file=sys.stderr):
        writer.write(row.cells)
        count += 1
        open_count += row.is_open
        suspicious_count += row.is_suspicious
    writer.finish()
    return f"{count} transactions, {open_count} of them open, {suspicious_count} with marks"


@contextmanager
def _stdout() -> Iterator[BinaryIO]:
    try:
        yield sys.stdout.buffer
        sys.stdout.flush()
    except OSError:
        # The pipe's reader has closed it; Python flushes stdout again at exit, which would fail too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise
