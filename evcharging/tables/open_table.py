"""Opening a table file: which kind it is, its content says."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from evcharging.tables.csv_reader import open_csv
from evcharging.tables.table import Column, Table, UnreadableTable
from evcharging.tables.xlsx_reader import open_xlsx

_XLSX, _OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


@contextmanager
def open_table(path: Path, columns: Sequence[Column]) -> Iterator[Table]:
    """Open a CSV or XLSX file whose first row names `columns`, in any order and case.

    Rows are read as they are asked for, so that memory does not grow with the file; empty ones are left out.

    :raises UnreadableTable: there is no such file, it is no table, or its header is wrong; also while rows are read,
        where the file is broken from there on.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise UnreadableTable(f"{path}: {error.strerror or error}") from None
    with file:
        start = file.read(4)
        file.seek(0)
        try:
            if start == _OLD_EXCEL:
                raise UnreadableTable("an old or encrypted Excel file; save it as .xlsx without a password, or as CSV")
            with open_xlsx(file, columns) if start == _XLSX else open_csv(file, columns) as table:
                yield table
        except UnreadableTable as error:
            raise UnreadableTable(f"{path}: {error}") from None
