"""Write CSV and XLSX row by row, in bounded memory; no cell is a formula, whatever its text."""

import csv
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, BinaryIO

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from evcharging.tables.formulas import FORMULA_STARTS, guard_formula

Cell = str | int | float | Decimal | datetime | None


#: The last row of an Excel sheet; what comes after it goes to a further sheet.
SHEET_ROWS = 1_048_576
#: Excel keeps 15 digits: a longer number is written as text.
_DIGITS = 15
_EXACT_BELOW = 10**_DIGITS
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class TableWriter(ABC):
    """Writes a table to `file`, which is complete after finish()."""

    def __init__(self, file: BinaryIO, *, title: str, columns: Sequence[str]) -> None:
        self.file = file
        self.title = title
        self.columns = columns

    @abstractmethod
    def write(self, cells: Sequence[Cell]) -> None:
        """Write a row with a cell for each column; None is an empty cell."""

    @abstractmethod
    def finish(self) -> None:
        """Flush to the file and leave it open."""


class CsvWriter(TableWriter):
    """Writes CSV in UTF-8 with commas; times in ISO 8601, UTC; formulas guarded (evcharging.tables.formulas)."""

    def __init__(self, file: BinaryIO, *, title: str, columns: Sequence[str]) -> None:
        super().__init__(file, title=title, columns=columns)
        self._rows = csv.writer(_Encoder(file))
        self._rows.writerow(columns)

    def write(self, cells: Sequence[Cell]) -> None:
        self._rows.writerow([_csv_cell(cell) for cell in cells])

    def finish(self) -> None:
        self.file.flush()


class _Encoder:
    """Encodes what csv.writer writes. Not a TextIOWrapper, which closes the file when it is garbage-collected."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(text.encode())


class XlsxWriter(TableWriter):
    """Writes an Excel workbook; times are Excel dates in UTC.

    :param sheet_rows: rows of a sheet, after which another one begins.
    :param formats_text: give every text cell the format Text, so that 007 or MAR1 stays what it is when it is edited.
    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        title: str,
        columns: Sequence[str],
        sheet_rows: int = SHEET_ROWS,
        formats_text: bool = False,
    ) -> None:
        super().__init__(file, title=title, columns=columns)
        self._formats_text = formats_text
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
        self._sheet.append([_xlsx_cell(self._sheet, cell, self._formats_text) for cell in cells])
        self._rows_left -= 1

    def finish(self) -> None:
        self._book.save(self.file)


WRITERS: dict[str, type[TableWriter]] = {"csv": CsvWriter, "xlsx": XlsxWriter}


def _plain(number: int | float | Decimal) -> int | float | Decimal:
    if isinstance(number, int) or not math.isfinite(number):
        return number
    return int(number) if number == int(number) else number


def _has_long_fraction(number: int | float | Decimal) -> bool:
    return isinstance(number, Decimal) and len(number.as_tuple().digits) > _DIGITS


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _csv_cell(cell: Cell) -> object:
    if isinstance(cell, str):
        return guard_formula(cell)
    if isinstance(cell, datetime):
        return _iso(cell)
    return "" if cell is None else _plain(cell)


def _xlsx_cell(sheet: Any, cell: Cell, formats_text: bool) -> object:
    if isinstance(cell, datetime):
        if cell.year >= 1900:  # where Excel's calendar begins
            return cell.astimezone(UTC).replace(tzinfo=None)
        cell = _iso(cell)
    if isinstance(cell, int | float | Decimal):
        number = _plain(cell)
        if -_EXACT_BELOW < number < _EXACT_BELOW and not _has_long_fraction(number):
            return number
        cell = str(number)
    if cell is None:
        return None
    text = _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", cell)
    if not formats_text and not text.startswith((*FORMULA_STARTS, "#")):
        return text
    typed = WriteOnlyCell(sheet, text)  # which would take = for a formula and #N/A for an error
    typed.data_type, typed.number_format = "s", "@"
    return typed
