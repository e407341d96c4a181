"""A table as it is read from a file: named columns, rows of text with line numbers; and parsers of cells."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class UnreadableTable(Exception):
    """The file cannot be read as a table of the expected columns; the message is one line."""


class Column(NamedTuple):
    """A column that a table may have. `is_time`: it may have dates of a spreadsheet, which are errors elsewhere."""

    name: str
    is_required: bool = False
    is_time: bool = False


class Row(NamedTuple):
    """A row: its first line in the file, its cells by column as stripped text ("" if empty), or why it is invalid."""

    line: int
    cells: dict[str, str]
    problem: str = ""


@dataclass(slots=True)
class Table:
    """An open table. `columns`: those of the file; `row_estimate`: for a progress bar, None if unknown; `notice`: for
    the user, about how the file is read."""

    columns: frozenset[str]
    rows: Iterator[Row]
    row_estimate: int | None
    notice: str = ""


class Imported(NamedTuple):
    """Numbers of rows by what an import did with them."""

    created: int
    updated: int
    unchanged: int


def column_name(text: str) -> str:
    """Return the name of a column from its header cell: "ID Tag" is id_tag."""
    return re.sub(r"\s+", "_", text.strip()).casefold()


def read_header(cells: Sequence[str], columns: Sequence[Column], line: int) -> list[str]:
    """Return the column of each cell.

    The message does not repeat a first row without any column, as it may be data with a password.

    :raises UnreadableTable: unknown, duplicate or missing columns, or no header.
    """
    found = [column_name(cell) for cell in cells]
    while found and not found[-1]:
        found.pop()
    known = {column.name for column in columns}
    listed = ", ".join(column.name for column in columns)
    if not known & set(found):
        raise UnreadableTable(f"line {line} is no header; a header has some of the columns {listed}")
    for name in found:
        if name not in known:
            shown = repr(name[:50]) if name else "without a name"
            raise UnreadableTable(f"line {line}: unknown column {shown}; columns are {listed}")
        if found.count(name) > 1:
            raise UnreadableTable(f"line {line}: duplicate column {name}")
    for column in columns:
        if column.is_required and column.name not in found:
            raise UnreadableTable(f"line {line}: missing column {column.name}")
    return found


def make_row(line: int, header: Sequence[str], cells: list[str], problem: str = "") -> Row:
    """Return the row with its cells by column; missing ones at its end are empty."""
    if not problem and any(cells[len(header) :]):
        problem = f"{len(cells)} cells for {len(header)} columns"
    cells += [""] * (len(header) - len(cells))
    named = dict(zip(header, cells, strict=False))
    if not problem:
        with_nul = [name for name, cell in named.items() if "\0" in cell]
        problem = f"{with_nul[0]}: contains a NUL character" if with_nul else ""
    return Row(line, named, problem)


def parse_time(text: str) -> datetime:
    """Parse an ISO 8601 time; without an offset it is UTC, and a date is its first instant.

    :raises ValueError:
    """
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:50]!r} is not a time like 2026-12-31T23:59:59Z") from None


def choice_parser(choices: Iterable[str]) -> Callable[[str], str]:
    """Return a function that returns the choice of a text, ignoring case, and raises ValueError for others."""
    by_lower = {choice.lower(): choice for choice in choices}

    def parse(text: str) -> str:
        if text.lower() not in by_lower:
            raise ValueError(f"{text[:50]!r} is none of {', '.join(by_lower.values())}")
        return by_lower[text.lower()]

    return parse


def check_length(text: str, limit: int) -> str:
    """Return the text.

    :raises ValueError: it is too long.
    """
    if len(text) > limit:
        raise ValueError(f"{len(text)} characters, at most {limit} are allowed")
    return text


def parse_cell(cells: Mapping[str, str], name: str, parse: Callable[[str], T], default: T) -> T:
    """Return the parsed cell of a column, or the default if it is empty or there is no such column.

    :raises ValueError: of `parse`, with the column's name before its reason.
    """
    text = cells.get(name, "")
    if not text:
        return default
    try:
        return parse(text)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
