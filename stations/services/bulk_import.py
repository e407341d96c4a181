"""Imports of stations by the thousand, from a file."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models.functions import Lower

from evcharging.db.advisory_locks import AdvisoryLock, lock_for_transaction
from evcharging.db.staging import StagingTable
from evcharging.events import publish
from evcharging.tables.table import Imported
from stations.models import RegistrationStatus, Station
from stations.passwords import hash_password, verify_password
from stations.signals import station_changed

_STAGING = StagingTable(
    "incoming_stations",
    columns={"identity": "text", "name": "text", "registration_status": "text", "password_hash": "text"},
    key="lower(identity)",
)


class StationRow(NamedTuple):
    """A station as a row of the file; a `password` of "" leaves the station's as it is."""

    identity: str
    name: str = ""
    registration_status: str = RegistrationStatus.ACCEPTED
    password: str = ""


@transaction.atomic
def import_stations(*, rows: Iterable[StationRow], fields: Collection[str], now: datetime) -> Imported:
    """Create or update stations in one database transaction, in bounded memory; the same rows again change nothing.

    Stations are locked in the order of their ids, after the last row was read. An error of `rows` rolls everything
    back.

    :param rows: each identity once, whatever its case, with passwords that hash_password() takes.
    :param fields: those that the file has; a known station keeps its other fields.
    """
    with connection.cursor() as cursor:
        total = _STAGING.fill(cursor, rows, _staged)
        lock_for_transaction(AdvisoryLock.STATION_IMPORT)
        created = _create_missing(cursor, now)
        updated = _update_known(cursor, fields, now)
    return Imported(created, updated, total - created - updated)


def _staged(batch: Sequence[StationRow]) -> Sequence[tuple[str, ...]]:
    hashes = _changed_passwords(batch)
    return [(row.identity, row.name, row.registration_status, hashes.get(row.identity.lower(), "")) for row in batch]


def _changed_passwords(batch: Sequence[StationRow]) -> dict[str, str]:
    """Return the hash of each password that is not its station's already, by folded identity."""
    given = {row.identity.lower(): row.password for row in batch if row.password}
    if not given:
        return {}
    stations = Station.objects.annotate(folded=Lower("identity")).filter(folded__in=given).exclude(password_hash="")
    known = dict(stations.values_list("folded", "password_hash"))
    return {
        identity: hash_password(password)
        for identity, password in given.items()
        if identity not in known or not verify_password(password.encode(), known[identity])
    }


def _create_missing(cursor: Any, now: datetime) -> int:
    query = """
        SELECT i.position, i.identity, i.name, i.registration_status, i.password_hash
        FROM incoming_stations i
        WHERE NOT EXISTS (SELECT 1 FROM stations_station s WHERE lower(s.identity) = lower(i.identity))
    """
    created = 0
    for found in _STAGING.select_in_batches(cursor, query):
        stations = [
            Station(
                identity=identity,
                name=name,
                registration_status=status,
                first_accepted_at=now if status == RegistrationStatus.ACCEPTED else None,
                password_hash=password_hash,
            )
            for _, identity, name, status, password_hash in found
        ]
        # A station that a connection enrols meanwhile is left to the update.
        Station.objects.bulk_create(stations, ignore_conflicts=True)
        created += len(stations)
    return created


def _update_known(cursor: Any, fields: Collection[str], now: datetime) -> int:
    """Update the stations that differ; publish station_changed for connected ones whose status or password changed."""
    cursor.execute(
        """
        UPDATE stations_station AS s
        SET name = v.new_name, registration_status = v.new_status, password_hash = v.new_hash,
            first_accepted_at = COALESCE(s.first_accepted_at, CASE WHEN v.new_status = 'Accepted' THEN %(now)s END)
        FROM (
            SELECT n.*, (s2.registration_status, s2.password_hash) <> (n.new_status, n.new_hash) AS is_reconnect_due
            FROM stations_station s2
            JOIN incoming_stations i ON lower(i.identity) = lower(s2.identity)
            CROSS JOIN LATERAL (
                SELECT s2.id,
                    CASE WHEN %(name)s THEN i.name ELSE s2.name END AS new_name,
                    CASE WHEN %(status)s THEN i.registration_status ELSE s2.registration_status END AS new_status,
                    CASE WHEN i.password_hash <> '' THEN i.password_hash ELSE s2.password_hash END AS new_hash
            ) n
            WHERE (s2.name, s2.registration_status, s2.password_hash) <> (n.new_name, n.new_status, n.new_hash)
            ORDER BY s2.id
            FOR NO KEY UPDATE OF s2
        ) AS v
        WHERE s.id = v.id
        RETURNING s.id, v.is_reconnect_due AND s.connected_at IS NOT NULL AND s.disconnected_at IS NULL
        """,
        {"now": now, "name": "name" in fields, "status": "registration_status" in fields},
    )
    changed = cursor.fetchall()
    for station_id, is_published in changed:
        if is_published:
            publish(station_changed, Station, station_id=station_id)
    return len(changed)
