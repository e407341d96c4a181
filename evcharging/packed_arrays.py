"""Parameters of unnest() in PostgreSQL's binary format for arrays (src/backend/utils/adt/arrayfuncs.c, array_recv).

For batches of the hot paths: the driver's adaptation of each value costs several times more (bench/).
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from struct import Struct, error
from typing import Any

from psycopg.adapt import Dumper
from psycopg.pq import Format

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
NULL = b"\xff\xff\xff\xff"
# Dimensions, whether there are nulls, type of the elements, elements, lower bound.
_HEADER = Struct("!iiIii")
_LENGTH = Struct("!i")
_INT8 = Struct("!iq").pack
_FLOAT8 = Struct("!id").pack


class Int8Array(bytes):
    """int8[]"""


class Float8Array(bytes):
    """float8[]"""


class InstantArray(bytes):
    """timestamptz[]"""


class TextArray(bytes):
    """text[]"""


def int8s(values: Iterable[int | None]) -> Int8Array:
    return Int8Array(_array(20, [NULL if value is None else _INT8(8, value) for value in values]))


def float8s(values: Iterable[float | None]) -> Float8Array:
    return Float8Array(_array(701, [NULL if value is None else _FLOAT8(8, value) for value in values]))


def instants(values: Iterable[datetime | None]) -> InstantArray:
    """Pack aware datetimes; neighbours are often the very same."""
    parts = []
    last, packed = None, NULL
    for value in values:
        if value is not last:
            last = value
            packed = NULL if value is None else _INT8(8, _micros(value))
        parts.append(packed)
    return InstantArray(_array(1184, parts))


def texts(values: Iterable[str | None]) -> TextArray:
    parts = []
    last, packed = None, NULL
    for value in values:
        if value is not last:
            last = value
            if value is None:
                packed = NULL
            else:
                data = value.encode()
                packed = _LENGTH.pack(len(data)) + data
        parts.append(packed)
    return TextArray(_array(25, parts))


_PACK: dict[type, Callable[[Iterable[Any]], bytes]] = {int: int8s, float: float8s, datetime: instants, str: texts}


def column(values: Sequence[Any]) -> Any:
    """Pack values of one type; what has no format here stays a list, for the driver to adapt.

    Statements cast their parameters, so that whole numbers may always travel as int8, and a column of nulls as text.
    """
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {int, float}:
        kinds = {float}
    pack = _PACK.get(kinds.pop() if kinds else str) if len(kinds) <= 1 else None
    try:
        return list(values) if pack is None else pack(values)
    except error:  # a number that is too large
        return list(values)


def _array(element_type: int, parts: list[bytes]) -> bytes:
    return b"".join((_HEADER.pack(1, NULL in parts, element_type, len(parts), 1), *parts))


def _micros(instant: datetime) -> int:
    delta = instant - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


class _PackedDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: bytes) -> bytes:
        return obj


class _Int8Dumper(_PackedDumper):
    oid = 1016


class _Float8Dumper(_PackedDumper):
    oid = 1022


class _InstantDumper(_PackedDumper):
    oid = 1185


class _TextDumper(_PackedDumper):
    oid = 1009


DUMPERS: dict[type, type[Dumper]] = {
    Int8Array: _Int8Dumper,
    Float8Array: _Float8Dumper,
    InstantArray: _InstantDumper,
    TextArray: _TextDumper,
}
