"""Many stations at once, from a list that staff keep elsewhere."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models.functions import Lower

from evcharging.db.advisory_locks import AdvisoryLock, lock_for_transaction
from evcharging.events import publish
from evcharging.tables.table import Imported
from stations.models import RegistrationStatus, Station
from stations.passwords import hash_password, verify_password
from stations.signals import station_changed

BATCH = 1000


class StationRow(NamedTuple):
    """One station as a list has it. A `password` of "" leaves the station's as it is."""

    identity: str
    name: str = ""
    registration_status: str = RegistrationStatus.ACCEPTED
    password: str = ""


@transaction.atomic
def import_stations(*, rows: Iterable[StationRow], facts: Collection[str], now: datetime) -> Imported:
    """Create or update stations in one database transaction, in bounded memory; what is given twice changes nothing.

    The rows are collected beside the table first, so that the stations are locked, in one order, for as short as can
    be: chargers go on connecting meanwhile. `rows` may raise to call it all off.

    :param rows: with passwords that hash_password() takes; an identity is there once, whatever its case.
    :param facts: the fields that the list knows; a known station keeps the others.
    """
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.incoming_stations")
        cursor.execute(
            "CREATE TEMPORARY TABLE incoming_stations ("
            " position bigint, identity text, name text, registration_status text, password_hash text"
            ") ON COMMIT DROP"
        )
        total = 0
        for batch in _batches(rows):
            _collect(cursor, batch, total)
            total += len(batch)
        cursor.execute("CREATE INDEX ON incoming_stations (lower(identity))")
        cursor.execute("ANALYZE incoming_stations")
        lock_for_transaction(AdvisoryLock.STATION_IMPORT)
        created = _create_missing(cursor, now)
        updated = _update_known(cursor, facts, now)
    return Imported(created, updated, total - created - updated)


def _batches(rows: Iterable[StationRow]) -> Iterator[list[StationRow]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def _collect(cursor: Any, batch: Sequence[StationRow], position: int) -> None:
    hashes = _changed_passwords(batch)
    columns = "position, identity, name, registration_status, password_hash"
    with cursor.copy(f"COPY incoming_stations ({columns}) FROM STDIN") as copy:
        for number, row in enumerate(batch, position):
            copy.write_row(
                (number, row.identity, row.name, row.registration_status, hashes.get(row.identity.lower(), ""))
            )


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
    created, position = 0, -1
    while True:
        cursor.execute(
            """
            SELECT i.position, i.identity, i.name, i.registration_status, i.password_hash FROM incoming_stations i
            WHERE i.position > %s
                AND NOT EXISTS (SELECT 1 FROM stations_station s WHERE lower(s.identity) = lower(i.identity))
            ORDER BY i.position LIMIT %s
            """,
            [position, BATCH],
        )
        found = cursor.fetchall()
        if not found:
            return created
        # One that a charger's connection enrols at this very moment is left to the update.
        Station.objects.bulk_create(
            [
                Station(
                    identity=identity,
                    name=name,
                    registration_status=status,
                    first_accepted_at=now if status == RegistrationStatus.ACCEPTED else None,
                    password_hash=password_hash,
                )
                for _, identity, name, status, password_hash in found
            ],
            ignore_conflicts=True,
        )
        position = found[-1][0]
        created += len(found)


def _update_known(cursor: Any, facts: Collection[str], now: datetime) -> int:
    """Update what differs; tell the connected ones whose status or password changed."""
    cursor.execute(
        """
        UPDATE stations_station AS s
        SET name = v.new_name, registration_status = v.new_status, password_hash = v.new_hash,
            first_accepted_at = COALESCE(s.first_accepted_at, CASE WHEN v.new_status = 'Accepted' THEN %(now)s END)
        FROM (
            SELECT n.*, (s2.registration_status, s2.password_hash) <> (n.new_status, n.new_hash) AS concerns_connection
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
        RETURNING s.id, v.concerns_connection AND s.connected_at IS NOT NULL AND s.disconnected_at IS NULL
        """,
        {"now": now, "name": "name" in facts, "status": "registration_status" in facts},
    )
    changed = cursor.fetchall()
    for station_id, is_to_be_told in changed:
        if is_to_be_told:
            publish(station_changed, Station, station_id=station_id)
    return len(changed)
