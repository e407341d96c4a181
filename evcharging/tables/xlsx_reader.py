"""Reads the first sheet of an Excel file, each cell as the text that Excel shows."""

import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from itertools import islice
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter

from evcharging.tables.table import Column, Row, Table, UnreadableTable, make_row, read_header

_BATCH = 500
#: Excel keeps 15 digits; the rest of a longer number is lost.
_EXACT_BELOW = 10**15
_ALL_ZEROS = re.compile("0+")
#: Errors of openpyxl for damaged or non-conforming files.
_BROKEN = (zipfile.BadZipFile, KeyError, ValueError, TypeError, IndexError, AttributeError, ParseError, EOFError)


@contextmanager
def open_xlsx(file: BinaryIO, columns: Sequence[Column]) -> Iterator[Table]:
    """Open an Excel file.

    :raises UnreadableTable: it is damaged or empty, or its header is wrong.
    """
    try:
        with _without_warnings():
            book = load_workbook(file, read_only=True)
    except _BROKEN as error:
        raise UnreadableTable(f"not an Excel file that can be read ({error})") from None
    try:
        if not book.worksheets:
            raise UnreadableTable("there is no sheet with cells")
        sheet: Any = book.worksheets[0]
        row_count: int | None = sheet.max_row
        sheet.reset_dimensions()  # some programs write wrong ones, by which rows would be left out
        records = _records(sheet)
        header_line, cells = next(records, (0, []))
        if not cells:
            raise UnreadableTable("the first sheet is empty")
        names = ["" if cell.value is None else str(cell.value) for cell in cells]
        header = read_header(names, columns, header_line)
        rows = _rows(records, header, {column.name for column in columns if column.is_time})
        estimate = None if row_count is None else max(row_count - header_line, 0)
        notice = "" if len(book.worksheets) == 1 else f"only the first sheet, {sheet.title!r}, is read"
        yield Table(frozenset(header), rows, estimate, notice)
    finally:
        book.close()


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Suppress openpyxl's warnings of styles and validations that it does not support; cells do not need them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _records(sheet: Any) -> Iterator[tuple[int, list[Any]]]:
    """Yield line and cells of each row that is not empty; in batches, as warnings are suppressed per batch."""
    rows = sheet.iter_rows()
    line = 0
    while True:
        try:
            with _without_warnings():
                batch = list(islice(rows, _BATCH))
        except _BROKEN as error:
            raise UnreadableTable(f"the sheet cannot be read after line {line} ({error})") from None
        if not batch:
            return
        for cells in batch:
            line += 1
            if any(cell.value not in (None, "") for cell in cells):
                yield line, list(cells)


def _rows(records: Iterator[tuple[int, list[Any]]], header: list[str], times: set[str]) -> Iterator[Row]:
    for line, cells in records:
        texts: list[str] = []
        problem = ""
        for index, cell in enumerate(cells):
            name = header[index] if index < len(header) else f"column {get_column_letter(index + 1)}"
            try:
                texts.append(_cell_text(cell, name in times))
            except ValueError as error:
                problem = problem or f"{name}: {error}"
                texts.append("")
        if problem or any(texts):
            yield make_row(line, header, texts, problem)


def _cell_text(cell: Any, may_be_time: bool) -> str:
    """Return the text that the cell shows, stripped.

    :raises ValueError: the original text cannot be known.
    """
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, str) and cell.data_type != "f" and cell.data_type != "e":
        return value.strip()
    if cell.data_type == "f":
        raise ValueError("a formula; paste its value")
    if cell.data_type == "e":
        raise ValueError(f"the spreadsheet shows the error {value}")
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return _number_text(value, cell.number_format)
    if isinstance(value, date) and may_be_time:  # a datetime is a date
        return value.isoformat()
    raise ValueError("the spreadsheet converted it to a date or time; format the column as text")


def _number_text(number: float, number_format: str) -> str:
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if abs(number) >= _EXACT_BELOW:
        raise ValueError("spreadsheets round a number of more than 15 digits; format the column as text")
    text = str(number)
    # a number format of zeros only: 123 is shown as 00123
    return text.zfill(len(number_format)) if _ALL_ZEROS.fullmatch(number_format) else text
