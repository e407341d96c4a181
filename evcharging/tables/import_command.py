"""Base class of the import commands: all rows or none, with a progress bar and a report."""

import sys
from abc import abstractmethod
from argparse import ArgumentParser
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone
from tqdm import tqdm

from evcharging.tables.open_table import open_table
from evcharging.tables.table import Column, Imported, Table, UnreadableTable

T = TypeVar("T")

MAX_SHOWN = 100


class BadRows(Exception):
    """All rows were read and some are bad: nothing is imported."""


class ImportCommand(BaseCommand, Generic[T]):
    """Imports one kind of row from a CSV or XLSX file, in one database transaction."""

    columns: ClassVar[Sequence[Column]]

    @abstractmethod
    def parse(self, cells: dict[str, str]) -> T:
        """Return the item of a row.

        :raises ValueError: with the reason, without secrets.
        """

    @abstractmethod
    def key(self, item: T) -> str:
        """Return the unique key of an item."""

    @abstractmethod
    def store(self, items: Iterable[T], fields: Collection[str], now: datetime) -> Imported:
        """Store all items, or none if iterating over them raises; `fields` are the columns of the file."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        names = ", ".join(column.name for column in self.columns)
        parser.add_argument("file", type=Path, metavar="FILE", help=f"CSV or XLSX with columns {names}")
        parser.add_argument("--dry-run", action="store_true", help="report what would happen and change nothing")
        parser.add_argument("--skip-bad", action="store_true", help="import the good rows although others are bad")

    def handle(self, *args: Any, file: Path, dry_run: bool, skip_bad: bool, **options: Any) -> None:
        """Import a file.

        :raises CommandError: not every row is imported.
        """
        bad: list[tuple[int, str]] = []
        imported = Imported(0, 0, 0)
        is_imported = True
        try:
            with open_table(file, self.columns) as table:
                if table.notice:
                    self.stderr.write(f"{file}: {table.notice}")
                with transaction.atomic():
                    items = _good(self._progress(table), self.parse, self.key, bad, skip_bad)
                    imported = self.store(items, table.columns, timezone.now())
                    transaction.set_rollback(dry_run)
        except BadRows:
            is_imported = False
        except UnreadableTable as error:
            raise CommandError(str(error)) from None
        self._report(file, imported if is_imported else None, bad, dry_run)

    def _progress(self, table: Table) -> Iterator[Any]:
        # disable=None: no bar unless stderr is a terminal
        yield from tqdm(table.rows, total=table.row_estimate, unit=" rows", disable=None, leave=False, file=sys.stderr)

    def _report(self, file: Path, imported: Imported | None, bad: list[tuple[int, str]], dry_run: bool) -> None:
        for line, problem in sorted(bad)[:MAX_SHOWN]:
            self.stderr.write(f"line {line}: {problem}")
        if len(bad) > MAX_SHOWN:
            self.stderr.write(f"… and {len(bad) - MAX_SHOWN} more")
        if imported is None:
            rows = "1 bad row" if len(bad) == 1 else f"{len(bad)} bad rows"
            raise CommandError(f"{file}: {rows}, nothing was imported (--skip-bad imports the good rows)")
        would = " (dry run: nothing was changed)" if dry_run else ""
        summary = f"{imported.created} created, {imported.updated} updated, {imported.unchanged} unchanged"
        self.stdout.write(f"{file}: {summary}, {len(bad)} failed{would}")
        if bad:
            raise CommandError(f"{file}: {len(bad)} of {sum(imported) + len(bad)} rows are not imported")


def _good(
    rows: Iterable[Any], parse: Callable[[dict[str, str]], T], key: Callable[[T], str], bad: list[Any], skip_bad: bool
) -> Iterator[T]:
    """Yield the items of good rows; append line and problem of bad ones to `bad`.

    :raises BadRows: after the last row, unless `skip_bad`.
    """
    lines: dict[str, int] = {}
    for row in rows:
        try:
            if row.problem:
                raise ValueError(row.problem)
            item = parse(row.cells)
            first = lines.setdefault(key(item), row.line)
            if first != row.line:
                raise ValueError(f"duplicate of line {first}")
        except ValueError as error:
            bad.append((row.line, str(error)))
        else:
            yield item
    if bad and not skip_bad:
        raise BadRows
