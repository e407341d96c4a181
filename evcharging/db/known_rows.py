"""A bounded cache, one per process, of primary keys that never change."""

from collections.abc import Mapping
from typing import TypeVar

from django.db import transaction

K = TypeVar("K")


class KnownRows(dict[K, int]):
    """Primary keys of rows by what identifies them, for rows in which both never change.

    Look a row up by `known[key]`; a KeyError says only that this process has not met it. Call `clear()` after rows
    were removed. About 150 bytes a row.

    :param limit: rows above which all are forgotten.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def remember(self, found: Mapping[K, int]) -> None:
        """Take over rows that are committed."""
        if len(self) > self.limit:
            self.clear()
        self.update(found)

    def remember_on_commit(self, found: Mapping[K, int]) -> None:
        """Take over rows once the current database transaction is committed: what it has inserted may roll back."""
        transaction.on_commit(lambda: self.remember(found))
