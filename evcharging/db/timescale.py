"""The edition of TimescaleDB in the configured database, if any, and what is a hypertable there."""

from datetime import datetime
from enum import StrEnum

from django.db import connection


class Edition(StrEnum):
    """Values of the setting timescaledb.license; "" for a database without hypertables."""

    NONE = ""
    APACHE = "apache"
    COMMUNITY = "timescale"


def edition() -> Edition:
    """Return the edition if DATABASE_URL has the scheme timescale://, else NONE."""
    if not connection.settings_dict["ENGINE"].startswith("timescale"):
        return Edition.NONE
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('timescaledb.license', true)")
        (license_name,) = cursor.fetchone()
    return Edition(license_name or "")


_known_hypertables: set[tuple[str, str]] = set()
"""(database, relation) of what was found to be one, which it stays."""


def is_hypertable(relation: str) -> bool:
    """Tell whether a table is a hypertable, or a view a continuous aggregate."""
    key = (str(connection.settings_dict["NAME"]), relation)
    if key not in _known_hypertables and _is_hypertable(relation):
        _known_hypertables.add(key)
    return key in _known_hypertables


def _is_hypertable(relation: str) -> bool:
    if edition() is Edition.NONE:
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM timescaledb_information.hypertables WHERE hypertable_name = %s", [relation])
        if cursor.fetchone() is None:
            cursor.execute(
                "SELECT 1 FROM timescaledb_information.continuous_aggregates WHERE view_name = %s", [relation]
            )
            return cursor.fetchone() is not None
    return True


def first_chunk_begin(table: str) -> datetime | None:
    """Return the begin of a hypertable's first chunk, before which there are no rows; None where it has no chunk.

    Out of TimescaleDB's catalogue: min() of the time column would read every chunk.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT min(range_start) FROM timescaledb_information.chunks WHERE hypertable_name = %s", [table]
        )
        begin: datetime | None = cursor.fetchone()[0]
    return begin
