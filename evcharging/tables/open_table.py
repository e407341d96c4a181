"""Open a table file as CSV or XLSX, by its first bytes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from evcharging.tables.csv_reader import open_csv
from evcharging.tables.table import Column, Table, UnreadableTable
from evcharging.tables.xlsx_reader import open_xlsx

_XLSX, _OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


@contextmanager
def open_table(path: Path, columns: Sequence[Column]) -> Iterator[Table]:
    """Open the file at `path` as open_table_file() does.

    :raises UnreadableTable: as there, or there is no such file; the text begins with the path.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise UnreadableTable(f"{path}: {error.strerror or error}") from None
    with file:
        try:
            with open_table_file(file, columns) as table:
                yield table
        except UnreadableTable as error:
            raise UnreadableTable(f"{path}: {error}") from None


@contextmanager
def open_table_file(file: BinaryIO, columns: Sequence[Column]) -> Iterator[Table]:
    """Open a CSV or XLSX file whose first row names `columns`, in any order and case.

    Rows are read lazily, in bounded memory; empty ones are skipped.

    :raises UnreadableTable: it is no table, or its header is wrong; also while rows are read, where the file is broken
        from there on.
    """
    start = file.read(4)
    file.seek(0)
    if start == _OLD_EXCEL:
        raise UnreadableTable("an old or encrypted Excel file; save it as .xlsx without a password, or as CSV")
    with open_xlsx(file, columns) if start == _XLSX else open_csv(file, columns) as table:
        yield table
