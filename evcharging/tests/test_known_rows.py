"""Primary keys that a process remembers."""

import pytest
from django.db import transaction

from evcharging.db.known_rows import KnownRows


def test_row_that_was_not_met_is_a_key_error():
    known: KnownRows[str] = KnownRows(10)
    known.remember({"a": 1})
    assert known["a"] == 1
    with pytest.raises(KeyError):
        known["b"]


def test_above_the_limit_all_rows_are_forgotten():
    known: KnownRows[int] = KnownRows(3)
    for number in range(4):
        known.remember({number: number})
    assert len(known) == 4
    known.remember({9: 9})
    assert known == {9: 9}


@pytest.mark.django_db(transaction=True)
def test_row_is_remembered_once_its_transaction_is_committed():
    known: KnownRows[str] = KnownRows(10)
    with transaction.atomic():
        known.remember_on_commit({"a": 1})
        assert known == {}
    assert known == {"a": 1}
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        known.remember_on_commit({"b": 2})
        raise ZeroDivisionError
    assert known == {"a": 1}
