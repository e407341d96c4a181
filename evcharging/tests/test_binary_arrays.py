"""Arrays packed here are read by PostgreSQL as what they are."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from django.db import DataError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evcharging.db.prepared import columns, run_prepared

pytestmark = pytest.mark.django_db
EARLY = datetime(1970, 1, 1, tzinfo=UTC)
INSTANT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cast", "values"),
    [
        ("int8[]", [0, None, -1, 2**63 - 1, -(2**63)]),
        ("int4[]", [1, None, 2**31 - 1]),
        ("int2[]", [1, -1]),
        ("float8[]", [0.1, None, -1e300, float("inf")]),
        ("timestamptz[]", [INSTANT, INSTANT, None, INSTANT + timedelta(microseconds=1), EARLY]),
        ("timestamptz[]", [INSTANT.astimezone(timezone(timedelta(hours=-7)))]),
        ("text[]", ["", "a", None, "ü€😀", '{"quoted, \\\\"}', "a", "NULL"]),
        ("int4[]", [None, None]),
        ("timestamptz[]", [None]),
        ("bool[]", [True, None, False]),
        ("float8[]", [1, 2.5]),
        ("numeric[]", [Decimal("1234.5"), None, Decimal("-0.001"), Decimal(2**63 - 1), Decimal(-(2**63))]),
        ("numeric[]", [Decimal("1E+3"), Decimal("1E-3"), Decimal("0.000")]),
        ("numeric[]", [1, Decimal("2.5"), None]),
        ("numeric[]", [1, 2]),
        ("numeric[]", [None]),
    ],
    ids=str,
)  # fmt: skip
def test_column_comes_back(cast, values):
    (parameter,) = columns([(value,) for value in values])
    assert run_prepared(f"SELECT %s::{cast}", [parameter]) == [(values,)]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.none() | st.floats(allow_nan=False),
            st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
            st.none() | st.integers(-(2**50), 2**52).map(lambda micros: EARLY + timedelta(microseconds=micros)),
            st.none()
            | st.decimals(allow_nan=False, allow_infinity=False, places=3)
            | st.integers(-(2**63), 2**63 - 1),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_rows_come_back(rows: list[tuple[Any, ...]]) -> None:
    sql = "SELECT * FROM unnest(%s::int8[], %s::float8[], %s::text[], %s::timestamptz[], %s::numeric[])"
    assert run_prepared(sql, columns(rows)) == rows


@pytest.mark.parametrize("value", ["a\0b", 2**63])
def test_what_postgres_cannot_hold_is_its_error(value):
    cast = "text[]" if isinstance(value, str) else "int8[]"
    with pytest.raises(DataError), transaction.atomic():
        run_prepared(f"SELECT %s::{cast}", columns([(value,)]))
