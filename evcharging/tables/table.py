"""What a table is, whatever file it comes from: named columns, and rows of text with their line numbers."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple


class UnreadableTable(Exception):
    """The file cannot be read as the table it should be; the text is one line for whoever gave it."""


class Column(NamedTuple):
    """A column that a table may have. In one with `is_time` a spreadsheet's dates are welcome; elsewhere they are an
    accident of the spreadsheet."""

    name: str
    is_required: bool = False
    is_time: bool = False


class Row(NamedTuple):
    """One row: the line in the file where it begins, its cells as stripped text, "" where empty, by column, or why
    it is unusable."""

    line: int
    cells: dict[str, str]
    problem: str = ""


@dataclass(slots=True)
class Table:
    """An open table. `columns` are those that the file has; `row_estimate` serves a progress bar, None is unknown;
    `notice` is what whoever gave the file should hear about how it was read."""

    columns: frozenset[str]
    rows: Iterator[Row]
    row_estimate: int | None
    notice: str = ""


class Imported(NamedTuple):
    """What an import did with the rows it was given."""

    created: int
    updated: int
    unchanged: int


def column_name(text: str) -> str:
    """Return the column that a header cell means: "ID Tag" is id_tag."""
    return re.sub(r"\s+", "_", text.strip()).casefold()


def read_header(cells: Sequence[str], columns: Sequence[Column], line: int) -> list[str]:
    """Return the column of each cell.

    A first row that names no column at all is not repeated in the message: it may be data, with a password in it.

    :raises UnreadableTable: unknown, doubled or missing columns, or no header.
    """
    found = [column_name(cell) for cell in cells]
    while found and not found[-1]:
        found.pop()
    known = {column.name for column in columns}
    listed = ", ".join(column.name for column in columns)
    if not known & set(found):
        raise UnreadableTable(f"line {line} is no header; it must name columns, of which there are {listed}")
    for name in found:
        if name not in known:
            shown = repr(name[:50]) if name else "without a name"
            raise UnreadableTable(f"line {line}: unknown column {shown}; there are {listed}")
        if found.count(name) > 1:
            raise UnreadableTable(f"line {line}: the column {name} is there twice")
    for column in columns:
        if column.is_required and column.name not in found:
            raise UnreadableTable(f"line {line}: the column {column.name} is missing")
    return found


def make_row(line: int, header: Sequence[str], cells: list[str], problem: str = "") -> Row:
    """Put the cells of a row under their columns; a short row ends in empty cells."""
    if not problem and any(cells[len(header) :]):
        problem = f"there are {len(cells)} cells for {len(header)} columns"
    cells += [""] * (len(header) - len(cells))
    named = dict(zip(header, cells, strict=False))
    if not problem:
        with_nul = [name for name, cell in named.items() if "\0" in cell]
        problem = f"{with_nul[0]}: there is a NUL character" if with_nul else ""
    return Row(line, named, problem)


def parse_time(text: str) -> datetime:
    """Read an ISO 8601 time as UTC; a date alone is its first instant, and a time without an offset is UTC.

    :raises ValueError: it is none.
    """
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:50]!r} is not a time like 2026-12-31T23:59:59Z") from None
