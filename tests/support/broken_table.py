"""A table whose every use fails in the database with an error of our choice."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

SHUTDOWN, DIVISION_BY_ZERO = "57P01", "22012"


@contextmanager
def broken(table: str, code: str) -> Iterator[None]:
    """Let every query of the table raise this SQLSTATE, in the test's own transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION fails() RETURNS boolean VOLATILE LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION 'the secret reason' USING ERRCODE = '{code}'; END $$"
        )
        cursor.execute(f"ALTER TABLE {table} RENAME TO {table}_kept")
        # A row that is no row of the table, so that an empty one fails too.
        cursor.execute(
            f"CREATE VIEW {table} AS SELECT kept.* FROM (SELECT fails() AS f OFFSET 0) one, {table}_kept kept"
        )
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"DROP VIEW {table}")
        cursor.execute(f"ALTER TABLE {table}_kept RENAME TO {table}")
