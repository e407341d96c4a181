"""Reads CSV with any common delimiter and encoding, as spreadsheets write it."""

import csv
import io
import re
from codecs import getincrementaldecoder
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from evcharging.tables.table import Column, Row, Table, UnreadableTable, column_name, make_row, read_header

_BLOCK = 1 << 20
_DELIMITERS = ",;\t|"


@contextmanager
def open_csv(file: BinaryIO, columns: Sequence[Column]) -> Iterator[Table]:
    """Open a CSV file: UTF-16 with a byte order mark, UTF-8, else Windows code page 1252.

    :raises UnreadableTable: it is empty or its header is wrong.
    """
    encoding, lines = _encoding(file)
    notice = ""
    if encoding in ("cp1252", "latin-1"):
        notice = f"the file is not UTF-8 and is read as {encoding}: check letters like é and ß"
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    try:
        records = _records(text, columns)
        header_line, cells = next(records, (0, []))
        if not cells:
            raise UnreadableTable("the file is empty")
        header = read_header(cells, columns, header_line)
        yield Table(frozenset(header), _rows(records, header), max(lines - header_line, 0), notice)
    finally:
        text.detach()


def _encoding(file: BinaryIO) -> tuple[str, int]:
    """Return the file's encoding and its number of line ends, by decoding all of it."""
    is_utf16 = file.read(2) in (b"\xff\xfe", b"\xfe\xff")  # what Excel calls Unicode text
    for encoding in ("utf-16",) if is_utf16 else ("utf-8-sig", "cp1252", "latin-1"):
        file.seek(0)
        decoder = getincrementaldecoder(encoding)()
        lines = 0
        try:
            while block := file.read(_BLOCK):
                lines += decoder.decode(block).count("\n")
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        file.seek(0)
        return encoding, lines
    raise UnreadableTable("the file has the byte order mark of UTF-16 and cannot be decoded")


def _records(text: io.TextIOWrapper, columns: Sequence[Column]) -> Iterator[tuple[int, list[str]]]:
    """Yield first line and stripped cells of each record that is not empty."""
    first = text.readline(_BLOCK)
    lines_before = 0
    if chosen := re.fullmatch(r"sep=(.)\s*", first):  # Excel's own line for the delimiter
        delimiter = chosen[1]
        lines_before = 1
    else:
        delimiter = _delimiter(first, columns)
        text.seek(0)
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    while True:
        line = lines_before + reader.line_num + 1  # line_num: the last line of the record before
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            raise UnreadableTable(f"cannot be read from line {line} on: {error}") from None
        if any(cells):
            yield line, cells


def _delimiter(header_line: str, columns: Sequence[Column]) -> str:
    """Return the delimiter by which the header has most known columns."""
    known = {column.name for column in columns}

    def count_named(delimiter: str) -> int:
        return len(
            known & {column_name(cell) for row in csv.reader([header_line], delimiter=delimiter) for cell in row}
        )

    return max(_DELIMITERS, key=count_named)


def _rows(records: Iterator[tuple[int, list[str]]], header: list[str]) -> Iterator[Row]:
    for line, cells in records:
        yield make_row(line, header, cells)
