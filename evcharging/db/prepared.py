"""Prepared statements of the hot paths: parsed and planned once per connection, not once per batch."""

from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper

from evcharging.db import binary_arrays

_CURSOR = "cursor_of_prepared_statements"


def run_prepared(sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Run a statement, prepared at its first use; return its rows, if it has any. Raises Django's database errors.

    Lists are sent as binary arrays where evcharging.db.binary_arrays has their type.
    """
    # Not django.db.connection, a proxy that looks it up at every attribute.
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
    """Return at least one row, transposed: columns, as parameters of unnest()."""
    return [binary_arrays.column(values) for values in zip(*rows, strict=True)]


def _cursor(connection: Any) -> psycopg.Cursor[Any]:
    """Return the driver's own cursor of a database connection, which binds parameters on the server.

    Django's cursors interpolate parameters into the text, so that every statement is a new one for PostgreSQL. With
    this one the text casts each parameter (`%s::int[]`), and whole numbers are always int8: types by size would make a
    statement of their own for every combination. One cursor per connection, as creating one costs as much as a small
    statement.
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
