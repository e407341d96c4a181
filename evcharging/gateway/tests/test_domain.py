"""The bridge to the ORM: what is tried again, and how."""

from collections.abc import Iterator

import pytest
from django.db import OperationalError, connection

from evcharging.gateway import domain
from evcharging.gateway.domain import DatabaseAway

LIMIT = "timescaledb.max_tuples_decompressed_per_dml_transaction"


@pytest.fixture(autouse=True)
def _pool() -> Iterator[None]:
    """The threads' connections are closed before the database of the tests goes."""
    yield
    domain.close_pool()


def refuse(sqlstate: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'tuple limit exceeded' USING ERRCODE = '{sqlstate}'; END $$")


@pytest.mark.django_db(transaction=True)
async def test_limit_of_unpacked_rows_is_lifted_and_the_transaction_run_again():
    def store() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting(%s, true)", [LIMIT])
            (limit,) = cursor.fetchone()
        if limit != "0":
            refuse(domain.LIMIT_EXCEEDED)
        return str(limit)

    assert await domain.call(store) == "0"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("sqlstate", ["53400", "53300", "40P01"])
async def test_what_fails_again_reads_as_a_database_that_is_away(sqlstate):
    with pytest.raises(DatabaseAway, match="tuple limit"):
        await domain.call(refuse, sqlstate)


@pytest.mark.django_db(transaction=True)
async def test_other_errors_are_the_callers():
    with pytest.raises(Exception, match="tuple limit") as caught:
        await domain.call(refuse, "23505")
    assert not isinstance(caught.value, DatabaseAway | OperationalError)
