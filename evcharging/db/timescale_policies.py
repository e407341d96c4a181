"""Policies (background jobs) of TimescaleDB's Community edition, updated where they differ from the settings."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import connection, transaction


@dataclass(frozen=True, slots=True)
class Policy:
    """A job that a relation should have, or not (`is_wanted`).

    `procedure` is the job's proc_name; add_`name`() and remove_`name`() create and delete it; `intervals` are compared
    with the configuration of the existing job.
    """

    relation: str
    procedure: str
    name: str
    is_wanted: bool
    intervals: dict[str, timedelta | None]
    arguments: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def refresh(cls, view: str, *, begin: timedelta | None, end: timedelta, every: timedelta) -> "Policy":
        """Refresh a continuous aggregate from `begin` ago (None: its first sample) to `end` ago."""
        intervals: dict[str, timedelta | None] = {"start_offset": begin, "end_offset": end}
        name, arguments = "continuous_aggregate_policy", {**intervals, "schedule_interval": every}
        return cls(view, "policy_refresh_continuous_aggregate", name, True, intervals, arguments)

    @classmethod
    def compression(cls, table: str, *, after: int) -> "Policy":
        """Compress chunks after so many days; 0: never."""
        age: dict[str, timedelta | None] = {"compress_after": timedelta(days=after)}
        return cls(table, "policy_compression", "compression_policy", after > 0, age, age)

    @classmethod
    def retention(cls, table: str, *, after: int) -> "Policy":
        """Drop chunks after so many days; 0: never."""
        age: dict[str, timedelta | None] = {"drop_after": timedelta(days=after)}
        return cls(table, "policy_retention", "retention_policy", after > 0, age, age)


def keep_policies(policies: Iterable[Policy]) -> None:
    """Add, replace and remove jobs so that they match the policies."""
    for policy in policies:
        with transaction.atomic(), connection.cursor() as cursor:
            configuration = _configuration(policy)
            if policy.is_wanted and configuration == policy.intervals:
                continue
            if configuration is not None:
                cursor.execute(f"SELECT remove_{policy.name}(%s::regclass, if_exists => true)", [policy.relation])
            if policy.is_wanted:
                named = ", ".join(f"{name} => %({name})s::interval" for name in policy.arguments)
                cursor.execute(
                    f"SELECT add_{policy.name}(%(relation)s::regclass, {named})",
                    {"relation": policy.relation, **policy.arguments},
                )


def compress(table: str, *, segment_by: str, order_by: str) -> None:
    """Enable compression of a hypertable, unless it is enabled; its columns cannot change afterwards."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT compression_enabled FROM timescaledb_information.hypertables WHERE hypertable_name = %s", [table]
        )
        (is_enabled,) = cursor.fetchone()
        if not is_enabled:
            cursor.execute(
                f"""
                ALTER TABLE {table} SET (timescaledb.compress, timescaledb.compress_segmentby = '{segment_by}',
                    timescaledb.compress_orderby = '{order_by}')
                """
            )


def set_chunk_interval(table: str, span: timedelta) -> None:
    """Set the time span of new chunks; in any edition."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_chunk_time_interval(%s::regclass, make_interval(secs => %s))", [table, span.total_seconds()]
        )


def _configuration(policy: Policy) -> dict[str, timedelta | None] | None:
    """Return the intervals of the existing job, or None."""
    values = ", ".join(f"(config->>'{name}')::interval" for name in policy.intervals)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {values} FROM timescaledb_information.jobs
            WHERE proc_name = %(procedure)s AND hypertable_name IN (
                SELECT %(relation)s UNION ALL
                SELECT materialization_hypertable_name FROM timescaledb_information.continuous_aggregates
                WHERE view_name = %(relation)s
            )
            """,
            {"procedure": policy.procedure, "relation": policy.relation},
        )
        found = cursor.fetchone()
    return None if found is None else dict(zip(policy.intervals, found, strict=True))
