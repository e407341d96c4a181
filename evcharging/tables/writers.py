"""Writing tables row by row, in memory that does not grow with them; no cell is a formula, whatever text it holds."""

import csv
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

Cell = str | int | float | datetime | None

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
#: The last row of an Excel sheet; what comes after it goes to a further sheet.
SHEET_ROWS = 1_048_576
#: Excel keeps 15 digits: a longer number is written as text.
_EXACT_BELOW = 10**15
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class TableWriter(ABC):
    """A table that is being written to `file`; it is whole when finish() returns."""

    def __init__(self, file: BinaryIO, *, title: str, columns: Sequence[str]) -> None:
        self.file = file
        self.title = title
        self.columns = columns

    @abstractmethod
    def write(self, cells: Sequence[Cell]) -> None:
        """Add a row, with a cell for each column; None is an empty one."""

    @abstractmethod
    def finish(self) -> None:
        """Write what is still to be written and leave the file open."""


class CsvWriter(TableWriter):
    """CSV in UTF-8 with commas; times in ISO 8601, UTC. A text that a spreadsheet would run as a formula stands
    behind an apostrophe."""

    def __init__(self, file: BinaryIO, *, title: str, columns: Sequence[str]) -> None:
        super().__init__(file, title=title, columns=columns)
        self._rows = csv.writer(_Encoder(file))
        self._rows.writerow(columns)

    def write(self, cells: Sequence[Cell]) -> None:
        self._rows.writerow([_csv_cell(cell) for cell in cells])

    def finish(self) -> None:
        self.file.flush()


class _Encoder:
    """Where csv writes its rows. No TextIOWrapper, which would close the file when an error leaves it behind."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(text.encode())


class XlsxWriter(TableWriter):
    """An Excel file; times are dates of Excel's, in UTC, and text is text."""

    def __init__(self, file: BinaryIO, *, title: str, columns: Sequence[str], sheet_rows: int = SHEET_ROWS) -> None:
        super().__init__(file, title=title, columns=columns)
        self._book = Workbook(write_only=True)
        self._sheet_rows = sheet_rows
        self._begin_sheet()

    def _begin_sheet(self) -> None:
        count = len(self._book.worksheets)
        self._sheet: Any = self._book.create_sheet(f"{self.title} {count + 1}" if count else self.title)
        self._sheet.freeze_panes = "A2"
        self._sheet.append(list(self.columns))
        self._rows_left = self._sheet_rows - 1

    def write(self, cells: Sequence[Cell]) -> None:
        if not self._rows_left:
            self._begin_sheet()
        self._sheet.append([_xlsx_cell(self._sheet, cell) for cell in cells])
        self._rows_left -= 1

    def finish(self) -> None:
        self._book.save(self.file)


WRITERS: dict[str, type[TableWriter]] = {"csv": CsvWriter, "xlsx": XlsxWriter}


def _plain(number: int | float) -> int | float:
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _csv_cell(cell: Cell) -> object:
    if isinstance(cell, str):
        return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell
    if isinstance(cell, datetime):
        return _iso(cell)
    return "" if cell is None else _plain(cell)


def _xlsx_cell(sheet: Any, cell: Cell) -> object:
    if isinstance(cell, datetime):
        if cell.year >= 1900:  # where Excel's calendar begins
            return cell.astimezone(UTC).replace(tzinfo=None)
        cell = _iso(cell)
    if isinstance(cell, int | float):
        cell = _plain(cell)
        if math.isfinite(cell) and abs(cell) < _EXACT_BELOW:
            return cell
        cell = str(cell)
    if cell is None:
        return None
    text = _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", cell)
    if not text.startswith((*FORMULA_STARTS, "#")):
        return text
    typed = WriteOnlyCell(sheet, text)  # which would take = for a formula and #N/A for an error
    typed.data_type, typed.number_format = "s", "@"
    return typed
