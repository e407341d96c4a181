"""Arrays for unnest() in PostgreSQL's binary format (src/backend/utils/adt/arrayfuncs.c, array_recv).

For batches of the hot paths: adaptation of each value by the driver costs several times more (bench/). Decimals are
sent as the text of an array, which costs less than splitting them into numeric's digits of base 10,000.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
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
_NONE = type(None)
BLOCK = 128
"""Most elements per Struct, which takes 64 bytes per element; one is cached for every length up to this."""


class Int8Array(bytes):
    """int8[]"""


class Float8Array(bytes):
    """float8[]"""


class InstantArray(bytes):
    """timestamptz[]"""


class TextArray(bytes):
    """text[]"""


class NumericArray(bytes):
    """numeric[], as text"""


def int8s(values: Sequence[int | None]) -> Int8Array:
    return Int8Array(_numbers(20, "q", values, _INT8))


def float8s(values: Sequence[float | None]) -> Float8Array:
    return Float8Array(_numbers(701, "d", values, _FLOAT8))


def instants(values: Sequence[datetime | None]) -> InstantArray:
    """Pack aware datetimes; consecutive ones are often the same object, and converted once."""
    micros: list[int | None] = []
    last, found = None, None
    for value in values:
        if value is not last:
            last = value
            found = None if value is None else _micros(value)
        micros.append(found)
    return InstantArray(_numbers(1184, "q", micros, _INT8))


def texts(values: Sequence[str | None]) -> TextArray:
    first = values[0] if values else None
    if first is not None and values.count(first) == len(values):
        return TextArray(_array(25, [_text(first)] * len(values), has_nulls=False))
    has_nulls = None in values
    return TextArray(_array(25, [NULL if value is None else _text(value) for value in values], has_nulls=has_nulls))


def numerics(values: Sequence[Decimal | float | None]) -> NumericArray:
    """Pack numbers as decimals; of a float, its shortest representation."""
    words = ["NULL" if value is None else str(value) for value in values]
    return NumericArray(f"{{{','.join(words)}}}".encode())


_PACK: dict[type, Callable[[Sequence[Any]], bytes]] = {
    int: int8s,
    float: float8s,
    Decimal: numerics,
    datetime: instants,
    str: texts,
}


def column(values: Sequence[Any]) -> Any:
    """Pack values of one type; return values of other types as a list, for the driver to adapt.

    Statements cast their parameters, so that whole numbers can always be int8, and a column of nulls text.
    """
    kinds = set(map(type, values))
    kinds.discard(_NONE)
    if kinds == {int, float}:
        kinds = {float}
    elif kinds == {int, Decimal}:
        kinds = {Decimal}
    pack = _PACK.get(kinds.pop() if kinds else str) if len(kinds) <= 1 else None
    try:
        return list(values) if pack is None else pack(values)
    except error:  # a number that is too large
        return list(values)


def _numbers(element_type: int, code: str, values: Sequence[Any], pack_one: Callable[[int, Any], bytes]) -> bytes:
    """Pack elements of eight bytes: in blocks, or one by one if there are nulls."""
    if None in values:
        return _array(
            element_type, [NULL if value is None else pack_one(8, value) for value in values], has_nulls=True
        )
    parts = []
    for begin in range(0, len(values), BLOCK):
        block = values[begin : begin + BLOCK]
        numbers: list[Any] = [8] * (2 * len(block))
        numbers[1::2] = block
        parts.append(_struct_of(code, len(block)).pack(*numbers))
    return _array(element_type, parts, has_nulls=False, count=len(values))


@lru_cache(2 * BLOCK)
def _struct_of(code: str, count: int) -> Struct:
    return Struct("!" + f"i{code}" * count)


def _text(value: str) -> bytes:
    data = value.encode()
    return _LENGTH.pack(len(data)) + data


def _array(element_type: int, parts: list[bytes], *, has_nulls: bool, count: int | None = None) -> bytes:
    size = len(parts) if count is None else count
    return b"".join((_HEADER.pack(1, has_nulls, element_type, size, 1), *parts))


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


class _NumericDumper(_PackedDumper):
    format = Format.TEXT
    oid = 1231


DUMPERS: dict[type, type[Dumper]] = {
    Int8Array: _Int8Dumper,
    Float8Array: _Float8Dumper,
    InstantArray: _InstantDumper,
    TextArray: _TextDumper,
    NumericArray: _NumericDumper,
}
