"""Refused connections and pending stations: stored for staff, capped in number and deleted after a while."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.db import connection, transaction

from stations.models import Deviation, RefusedConnection, RegistrationStatus, Station, stale_before
from stations.services.enrolment import import_station


class RefusalKey(NamedTuple):
    """What refused connections are aggregated by; the identity is cut to the column."""

    identity: str
    reason: str


class RefusalCount(NamedTuple):
    """How often a refusal happened since the last flush."""

    times: int
    remote_address: str
    detail: str
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class DeletedRows:
    """How many rows delete_expired_refusals() deleted."""

    pending_stations: int
    refused_connections: int
    deviations: int


@transaction.atomic
def record_refusals(*, counts: Mapping[RefusalKey, RefusalCount]) -> None:
    """Add counted refusals; above REFUSED_CONNECTIONS_MAX the rows unseen for longest make room."""
    with connection.cursor() as cursor:
        for key in sorted(counts):
            seen = counts[key]
            cursor.execute(
                """
                INSERT INTO stations_refusedconnection
                    (identity, reason, remote_address, detail, first_seen_at, last_seen_at, count)
                VALUES (%s, %s, %s, %s, %s, %s, %s)
                ON CONFLICT (identity, reason) DO UPDATE SET
                    count = stations_refusedconnection.count + excluded.count,
                    last_seen_at = GREATEST(stations_refusedconnection.last_seen_at, excluded.last_seen_at),
                    remote_address = excluded.remote_address, detail = excluded.detail
                """,
                [*key, seen.remote_address, seen.detail, seen.first_seen_at, seen.last_seen_at, seen.times],
            )
        cursor.execute(
            """
            DELETE FROM stations_refusedconnection WHERE id IN (
                SELECT id FROM stations_refusedconnection ORDER BY last_seen_at DESC OFFSET %s
            )
            """,
            [settings.REFUSED_CONNECTIONS_MAX],
        )


@transaction.atomic
def accept_refused_identity(*, refused_id: int, now: datetime) -> Station:
    """Make the identity of a refused connection a known, accepted station; its other refusals stay listed.

    :raises RefusedConnection.DoesNotExist: the row is gone.
    """
    refused = RefusedConnection.objects.get(pk=refused_id)
    station, _ = import_station(
        identity=refused.identity, name=None, registration_status=RegistrationStatus.ACCEPTED, password="", now=now
    )
    refused.delete()
    return station


@transaction.atomic
def delete_expired_refusals(*, now: datetime) -> DeletedRows:
    """Delete refused connections, deviations and pending stations that were not seen for REFUSAL_RETENTION_DAYS.

    Pending stations only if they were never accepted and have no orphans, transactions, connectors or series.
    """
    before = stale_before(now, settings.REFUSAL_RETENTION_DAYS)
    refused, _ = RefusedConnection.objects.filter(last_seen_at__lt=before).delete()
    deviations, _ = Deviation.objects.filter(last_seen_at__lt=before).delete()
    pending = Station.objects.filter(
        registration_status=RegistrationStatus.PENDING,
        first_accepted_at=None,
        created_at__lt=before,
        last_seen_at__lt=before,
        transactions=None,
        orphans=None,
        connectors=None,
        series=None,
    )
    count = pending.count()
    pending.delete()
    return DeletedRows(pending_stations=count, refused_connections=refused, deviations=deviations)
