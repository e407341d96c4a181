"""Statements of the hot paths: parsed and planned once for each connection, not once for each batch."""

from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper

from evcharging.db import binary_arrays

_CURSOR = "cursor_of_prepared_statements"


def run_prepared(sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Run a statement that stays prepared; return its rows, or none where it has none. Errors are Django's.

    Lists are sent as packed arrays where they can be.
    """
    # Once, past the proxy that looks it up at every use.
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.queries_logged:
        connection.queries_log.append({"sql": sql, "time": ""})
    packed = [binary_arrays.column(each) if each.__class__ is list else each for each in parameters]
    with connection.wrap_database_errors:
        cursor = _cursor(connection)
        cursor.execute(sql, packed, prepare=True)
        result = cursor.pgresult
        return cursor.fetchall() if result is not None and result.nfields else []


def columns(rows: Sequence[Sequence[Any]]) -> list[Any]:
    """Return rows as columns, the parameters of unnest(); there must be a row."""
    return [binary_arrays.column(values) for values in zip(*rows, strict=True)]


def _cursor(connection: Any) -> psycopg.Cursor[Any]:
    """Return the cursor of a database connection whose statements can stay prepared, the driver's own.

    Django's cursors put parameters into the text, so that PostgreSQL sees another statement every time. This one sends
    them beside the text, which casts each (`%s::int[]`); all whole numbers as int8, for with types by size a statement
    would be another one for every mixture of sizes. It is one for each connection: making a cursor costs as much as a
    small statement.
    """
    if connection.connection is None:
        connection.ensure_connection()
    link = connection.connection
    known: psycopg.Cursor[Any] | None = getattr(link, _CURSOR, None)
    if known is not None:
        return known
    link.adapters.register_dumper(int, Int8Dumper)
    link.adapters.register_dumper(int, Int8BinaryDumper)
    for kind, dumper in binary_arrays.DUMPERS.items():
        link.adapters.register_dumper(kind, dumper)
    cursor = psycopg.Cursor(link)
    setattr(link, _CURSOR, cursor)
    return cursor
