"""Statements of the hot paths: parsed and planned once for each connection, not once for each batch."""

from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import connection
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper

from evcharging import packed_arrays

_KNOWS_DUMPERS = "knows_our_dumpers"


def run_prepared(sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Run a statement that stays prepared; return its rows, or none where it has none. Errors are Django's."""
    if connection.queries_logged:
        connection.queries_log.append({"sql": sql, "time": ""})
    with connection.wrap_database_errors, _cursor() as cursor:
        cursor.execute(sql, parameters, prepare=True)
        return cursor.fetchall() if cursor.description else []


def columns(rows: Sequence[Sequence[Any]]) -> list[Any]:
    """Return rows as columns, the parameters of unnest(); there must be a row."""
    return [packed_arrays.column(values) for values in zip(*rows, strict=True)]


def _cursor() -> psycopg.Cursor[Any]:
    """Return a cursor of the driver's own on the current database connection: its statements can stay prepared.

    Django's cursors put parameters into the text, so that PostgreSQL sees another statement every time. These send
    them beside the text, which casts each (`%s::int[]`); all whole numbers as int8, for with types by size a statement
    would be another one for every mixture of sizes.
    """
    connection.ensure_connection()
    link = connection.connection
    if not getattr(link, _KNOWS_DUMPERS, False):
        link.adapters.register_dumper(int, Int8Dumper)
        link.adapters.register_dumper(int, Int8BinaryDumper)
        for kind, dumper in packed_arrays.DUMPERS.items():
            link.adapters.register_dumper(kind, dumper)
        setattr(link, _KNOWS_DUMPERS, True)
    return psycopg.Cursor(link)
