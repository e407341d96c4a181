"""Staging tables: rows in, in their order, and out again by batches."""

import pytest
from django.db import connection

from evcharging.db.staging import BATCH, StagingTable

pytestmark = pytest.mark.django_db
NUMBERS = StagingTable("incoming_numbers", columns={"number": "int"}, key="number")


def test_rows_come_back_in_their_order_by_batches():
    with connection.cursor() as cursor:
        total = NUMBERS.fill(cursor, range(2 * BATCH, -1, -1), lambda batch: [(number,) for number in batch])
        query = "SELECT i.position, i.number FROM incoming_numbers i WHERE i.number <> 7"
        found = list(NUMBERS.select_in_batches(cursor, query))
    assert total == 2 * BATCH + 1
    assert [len(batch) for batch in found] == [BATCH, BATCH]
    assert [row for batch in found for row in batch] == [
        (2 * BATCH - number, number) for number in range(2 * BATCH, -1, -1) if number != 7
    ]


def test_second_import_in_one_transaction_begins_with_an_empty_table():
    with connection.cursor() as cursor:
        for numbers in ([1, 2, 3], [4]):
            total = NUMBERS.fill(cursor, numbers, lambda batch: [(number,) for number in batch])
        cursor.execute("SELECT position, number FROM incoming_numbers")
        assert (total, cursor.fetchall()) == (1, [(0, 4)])
