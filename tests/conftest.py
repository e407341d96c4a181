"""Fixtures of the tests that cross the apps."""

from collections.abc import Iterator

import pytest
from django.db import connection

from meter.services.series import known_series
from transactions.services.readings import known_transactions


@pytest.fixture
def committed_database(transactional_db: None) -> Iterator[None]:
    """Real commits, which need not wait for the disk; what the process remembers goes with the rows."""
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit TO off")
    yield
    known_series.clear()
    known_transactions.clear()
    connection.close()
