"""The edition of TimescaleDB in the configured database, if any."""

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


def is_hypertable(relation: str) -> bool:
    """Tell whether a table is a hypertable, or a view a continuous aggregate."""
    found = edition()
    if found is Edition.NONE:
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM timescaledb_information.hypertables WHERE hypertable_name = %s", [relation])
        if cursor.fetchone() is None:
            cursor.execute(
                "SELECT 1 FROM timescaledb_information.continuous_aggregates WHERE view_name = %s", [relation]
            )
            return cursor.fetchone() is not None
    return True
