"""The files of the back office's import and export of id tags; read as `import_id_tags` reads them."""

from csv import writer
from io import BytesIO, StringIO
from typing import Any

from import_export.formats.base_formats import Format
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from tablib import Dataset

from evcharging.tables.csv_reader import open_csv
from evcharging.tables.xlsx_reader import open_xlsx
from id_tags.import_table import COLUMNS

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
XLSX_START = b"PK\x03\x04"


class AnyTable(Format):
    """For the import: a CSV or XLSX file, its content says which, and in which encoding."""

    def __init__(self, encoding: str | None = None) -> None:
        pass

    def get_title(self) -> str:
        return "CSV or XLSX"

    def can_import(self) -> bool:
        return True

    def create_dataset(self, in_stream: bytes) -> Dataset:
        """Return the rows as text, with the `lines` where they begin and the `problems` of unusable ones, by index.

        :raises UnreadableTable:
        """
        file = BytesIO(in_stream)
        dataset = Dataset()
        lines: dict[int, int] = {}
        problems: dict[int, str] = {}
        with (open_xlsx if in_stream.startswith(XLSX_START) else open_csv)(file, COLUMNS) as table:
            names = [column.name for column in COLUMNS if column.name in table.columns]
            dataset.headers = names
            for index, row in enumerate(table.rows):
                lines[index] = row.line
                if row.problem:
                    problems[index] = row.problem
                dataset.append([_unguarded(row.cells.get(name, "")) for name in names])
        dataset.lines, dataset.problems = lines, problems
        return dataset


class GuardedCSV(Format):
    """For the export. What a spreadsheet would run as a formula stands behind an apostrophe, which the import takes
    off again: a tag may have been chosen by a stranger."""

    def get_title(self) -> str:
        return "CSV"

    def is_binary(self) -> bool:
        return False

    def get_extension(self) -> str:
        return "csv"

    def get_content_type(self) -> str:
        return "text/csv"

    def can_export(self) -> bool:
        return True

    def export_data(self, dataset: Dataset, **kwargs: Any) -> str:
        text = StringIO()
        rows = writer(text)
        rows.writerow(dataset.headers)
        rows.writerows([_guarded(cell) for cell in row] for row in dataset)
        return text.getvalue()


class TextXLSX(Format):
    """For the export. Every cell is text, so that a tag keeps its zeros and is never a formula."""

    def get_title(self) -> str:
        return "XLSX"

    def get_extension(self) -> str:
        return "xlsx"

    def get_content_type(self) -> str:
        return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    def can_export(self) -> bool:
        return True

    def export_data(self, dataset: Dataset, **kwargs: Any) -> bytes:
        book = Workbook(write_only=True)
        sheet = book.create_sheet("Id tags")
        for row in (dataset.headers, *dataset):
            cells = []
            for text in row:
                cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("\N{REPLACEMENT CHARACTER}", text))
                cell.data_type, cell.number_format = "s", "@"
                cells.append(cell)
            sheet.append(cells)
        file = BytesIO()
        book.save(file)
        return file.getvalue()


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _unguarded(text: str) -> str:
    return text[1:] if text[:1] == "'" and text[1:].startswith(FORMULA_STARTS) else text
