"""File formats of the back office's import and export of id tags, read as `import_id_tags` reads them."""

from io import BytesIO
from typing import Any

from import_export.formats.base_formats import Format
from tablib import Dataset

from evcharging.tables.formulas import unguard_formula
from evcharging.tables.open_table import open_table_file
from evcharging.tables.writers import CsvWriter, TableWriter, XlsxWriter
from id_tags.import_table import COLUMNS

TITLE = "Id tags"


class AnyTable(Format):
    """Import of CSV or XLSX, told apart by the content, as is the encoding."""

    def __init__(self, encoding: str | None = None) -> None:
        pass

    def get_title(self) -> str:
        return "CSV or XLSX"

    def can_import(self) -> bool:
        return True

    def create_dataset(self, in_stream: bytes) -> Dataset:
        """Return the rows as text; `lines` and `problems` of the data set hold line numbers and errors by row index.

        :raises UnreadableTable:
        """
        dataset = Dataset()
        lines: dict[int, int] = {}
        problems: dict[int, str] = {}
        with open_table_file(BytesIO(in_stream), COLUMNS) as table:
            names = [column.name for column in COLUMNS if column.name in table.columns]
            dataset.headers = names
            for index, row in enumerate(table.rows):
                lines[index] = row.line
                if row.problem:
                    problems[index] = row.problem
                dataset.append([unguard_formula(row.cells.get(name, "")) for name in names])
        dataset.lines, dataset.problems = lines, problems
        return dataset


class GuardedCSV(Format):
    """Export to CSV with guarded formulas; the import takes the guard off again."""

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
        file = BytesIO()
        _write(CsvWriter(file, title=TITLE, columns=dataset.headers), dataset)
        return file.getvalue().decode()


class TextXLSX(Format):
    """Export to XLSX with every cell as text, so that a tag keeps its zeros."""

    def get_title(self) -> str:
        return "XLSX"

    def get_extension(self) -> str:
        return "xlsx"

    def get_content_type(self) -> str:
        return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    def can_export(self) -> bool:
        return True

    def export_data(self, dataset: Dataset, **kwargs: Any) -> bytes:
        file = BytesIO()
        _write(XlsxWriter(file, title=TITLE, columns=dataset.headers, formats_text=True), dataset)
        return file.getvalue()


def _write(writer: TableWriter, dataset: Dataset) -> None:
    for row in dataset:
        writer.write(row)
    writer.finish()
