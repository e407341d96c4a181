"""Bulk imports: rows are staged in a temporary table by COPY, and written to the real tables from there.

Reading the input takes as long as its file is long; with the rows staged, the real tables are locked only afterwards,
for the few statements that compare and write.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")

BATCH = 1000
"""Rows that one COPY, one INSERT and one signal hold."""


@dataclass(frozen=True, slots=True)
class StagingTable:
    """A temporary table of the current database transaction.

    :param columns: names and SQL types; `position`, the row's number from 0, stands before them.
    :param key: the SQL expression by which its rows are joined with the real ones; indexed.
    """

    name: str
    columns: Mapping[str, str]
    key: str

    def fill(self, cursor: Any, rows: Iterable[T], values: Callable[[Sequence[T]], Sequence[Sequence[Any]]]) -> int:
        """Create the table and copy the rows into it; return how many they are.

        :param values: turns a batch of rows into the values of `columns`.
        """
        columns = ", ".join(f"{name} {sql_type}" for name, sql_type in self.columns.items())
        cursor.execute(f"DROP TABLE IF EXISTS pg_temp.{self.name}")
        cursor.execute(f"CREATE TEMPORARY TABLE {self.name} (position bigint, {columns}) ON COMMIT DROP")
        total = 0
        for batch in batches(rows):
            staged = values(batch)  # before the COPY, during which the connection takes no query
            with cursor.copy(f"COPY {self.name} FROM STDIN") as copy:
                for row in staged:
                    copy.write_row((total, *row))
                    total += 1
        cursor.execute(f"CREATE INDEX ON {self.name} ({self.key})")
        cursor.execute(f"ANALYZE {self.name}")
        return total

    def select_in_batches(self, cursor: Any, query: str) -> Iterator[list[tuple[Any, ...]]]:
        """Yield what a query finds, by position, a batch at a time: each is fetched after the one before was used.

        :param query: selects from the table as `i`, i.position first, and ends in a WHERE clause.
        """
        position = -1
        while True:
            cursor.execute(f"{query} AND i.position > %s ORDER BY i.position LIMIT %s", [position, BATCH])
            found = cursor.fetchall()
            if not found:
                return
            position = found[-1][0]
            yield found


def batches(rows: Iterable[T]) -> Iterator[list[T]]:
    """Yield the rows in lists of BATCH."""
    remaining = iter(rows)
    while batch := list(islice(remaining, BATCH)):
        yield batch
