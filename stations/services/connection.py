"""Who may connect, and which connection owns a station."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from django.conf import settings
from django.db import connection, transaction

from evcharging.db.prepared import columns, run_prepared
from stations.models import RefusalReason, RegistrationStatus, Station
from stations.passwords import verify_password
from stations.services.calls import fail_unwaiting


@dataclass(frozen=True, slots=True)
class Credentials:
    """HTTP Basic user name and password as the bytes that were sent."""

    username: bytes
    password: bytes


@dataclass(slots=True)
class ConnectedStation:
    """What a connection knows of its station; refreshed when staff change it."""

    station_id: int
    identity: str
    epoch: int
    registration_status: str
    was_ever_accepted: bool
    time_zone: str
    id_tag_transform: str
    heartbeat_interval_s: int
    ping_interval_s: int
    idle_limit_s: int
    response_delay_ms: int
    firmware_version: str
    assumed_version: str
    last_boot_at: datetime | None


@dataclass(frozen=True, slots=True)
class Admission:
    """Outcome of a connection attempt: the station, or why it was refused.

    `previous_channel` names the gateway process that held the station until now, "" if none did. `has_commands`: some
    wait for it, or for what it will tell.
    """

    station: ConnectedStation | None
    refusal: RefusalReason | None = None
    previous_channel: str = ""
    has_commands: bool = False


class Attempt(NamedTuple):
    """One attempt to connect; the arguments of connect_station().

    `version` is the protocol version that was agreed on, "" where the station offered none that is spoken here.
    """

    identity: str
    credentials: Credentials | None
    version: str
    remote_address: str
    gateway_channel: str
    now: datetime


@transaction.atomic
def connect_known_stations(*, attempts: Sequence[Attempt]) -> list[Admission | None]:
    """Admit those of a batch that come with all they need; None: not admitted here, connect_station() decides.

    A fleet that comes back after a power cut comes all at once.
    """
    found = Station.objects.with_identities([attempt.identity for attempt in attempts])
    stations = {station.identity.lower(): station for station in found}
    admitted: dict[int, tuple[int, Station]] = {}
    for place, attempt in enumerate(attempts):
        station = stations.get(attempt.identity.lower())
        if station is None or station.pk in admitted:
            continue
        if _refusal(station, attempt.credentials, attempt.version) is None:
            admitted[station.pk] = place, station
    admissions: list[Admission | None] = [None] * len(attempts)
    if admitted:
        for station_id, taken in _take_over([(pk, attempts[place]) for pk, (place, _) in admitted.items()]).items():
            place, station = admitted[station_id]
            admissions[place] = _admission(station, *taken)
    return admissions


def connect_station(
    *,
    identity: str,
    credentials: Credentials | None,
    version: str,
    remote_address: str,
    gateway_channel: str,
    now: datetime,
) -> Admission:
    """Admit a connection and make it the owner of its station; the newest connection always wins.

    An unknown identity is enrolled as OCPP_ENROLMENT says. Being called twice makes two epochs, of which the later
    owns the station.
    """
    station = Station.objects.with_identity(identity).first()
    if station is not None:
        refusal = _refusal(station, credentials, version)
    else:
        refusal = _enrolment_refusal(version)
    if refusal is not None:
        return Admission(None, refusal)
    if station is None:
        station = _enrol(identity, now)
    attempt = Attempt(identity, credentials, version, remote_address, gateway_channel, now)
    return _admission(station, *_take_over([(station.pk, attempt)])[station.pk])


def _admission(station: Station, epoch: int, previous_channel: str, has_commands: bool) -> Admission:
    station.connection_epoch = epoch
    return Admission(connected_station(station), previous_channel=previous_channel, has_commands=has_commands)


def connected_station(station: Station) -> ConnectedStation:
    """Return what a connection needs to know, with the system's defaults filled in."""
    return ConnectedStation(
        station_id=station.pk,
        identity=station.identity,
        epoch=station.connection_epoch,
        registration_status=station.registration_status,
        was_ever_accepted=station.was_ever_accepted,
        time_zone=station.time_zone,
        id_tag_transform=station.id_tag_transform,
        heartbeat_interval_s=station.heartbeat_interval_s or settings.OCPP_HEARTBEAT_INTERVAL_S,
        ping_interval_s=_default(station.ping_interval_s, settings.OCPP_PING_INTERVAL_S),
        idle_limit_s=_default(station.idle_limit_s, settings.OCPP_IDLE_LIMIT_S),
        response_delay_ms=station.response_delay_ms,
        firmware_version=station.firmware_version,
        assumed_version=station.assumed_version,
        last_boot_at=station.last_boot_at,
    )


def reload_station(*, station_id: int, epoch: int) -> ConnectedStation | None:
    """Return the station as it is now for the connection that owns it; None if another does, or none."""
    station = Station.objects.filter(pk=station_id, connection_epoch=epoch).first()
    return None if station is None else connected_station(station)


class Leave(NamedTuple):
    """The end of one connection of a station."""

    station_id: int
    epoch: int
    now: datetime


@transaction.atomic
def disconnect_stations(*, leaves: Sequence[Leave]) -> list[bool]:
    """Mark stations offline whose connections still own them; return of each whether it did.

    Commands that were sent on one, or do not wait for the station, end with it.
    """
    rows = run_prepared(_DISCONNECT_SQL, columns(leaves))
    owned = {(station_id, epoch) for station_id, epoch, _ in rows}
    commanded = {station_id for station_id, _, has_commands in rows if has_commands}
    for leave in leaves:
        if leave.station_id in commanded and (leave.station_id, leave.epoch) in owned:
            fail_unwaiting(station_id=leave.station_id, epoch=leave.epoch, now=leave.now)
    return [(leave.station_id, leave.epoch) in owned for leave in leaves]


_DISCONNECT_SQL = """
    UPDATE stations_station AS s SET disconnected_at = held.at, last_seen_at = held.at
    FROM (
        SELECT s2.id, v.at
        FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[]) AS v(id, epoch, at)
        JOIN stations_station s2 ON s2.id = v.id AND s2.connection_epoch = v.epoch
        ORDER BY s2.id
        FOR NO KEY UPDATE OF s2
    ) AS held
    WHERE s.id = held.id
    RETURNING s.id, s.connection_epoch, EXISTS (
        SELECT 1 FROM stations_command c WHERE c.station_id = s.id AND c.status IN ('queued', 'sent'))
"""


def owns_station(*, station_id: int, epoch: int) -> bool:
    """Whether this connection still owns the station, held until the end of the database transaction.

    FOR KEY SHARE conflicts with connect_station()'s FOR UPDATE and with nothing else that is ever done to the row.
    """
    sql = "SELECT connection_epoch FROM stations_station WHERE id = %s FOR KEY SHARE"
    return run_prepared(sql, [station_id]) == [(epoch,)]


def current_epochs(*, station_ids: Iterable[int]) -> dict[int, int]:
    """Return the owning epoch of each station, not held: for batches, whose rows are safe to store late."""
    sql = "SELECT id, connection_epoch FROM stations_station WHERE id = ANY(%s::bigint[])"
    return dict(run_prepared(sql, [list(set(station_ids))]))


class _Received(Protocol):
    @property
    def station_id(self) -> int: ...
    @property
    def epoch(self) -> int: ...


def newest_epochs(*, messages: Iterable[_Received]) -> dict[int, int]:
    """Return of each station in a batch the newest epoch: messages of an older one came by a connection that was
    replaced."""
    newest: dict[int, int] = {}
    for message in messages:
        if newest.get(message.station_id, message.epoch) <= message.epoch:
            newest[message.station_id] = message.epoch
    return newest


OWNED_SQL = """
    owned AS MATERIALIZED (
        SELECT s.id FROM stations_station s
        JOIN unnest(%s::bigint[], %s::bigint[]) AS v(id, epoch) ON s.id = v.id AND s.connection_epoch = v.epoch
    )
"""
"""For WITH: the stations (id) that connections of these epochs own, not held. Parameters: stations, their epochs."""


def touch_stations(*, seen: Mapping[int, tuple[int, datetime, float | None]]) -> dict[int, str]:
    """Write when stations were last seen and their clock drift; return the registration status of each station whose
    connection still owns it.

    :param seen: station id → (epoch, last seen at, clock drift in seconds or None for unmeasured).
    """
    ids = sorted(seen)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE stations_station AS s
            SET last_seen_at = GREATEST(s.last_seen_at, v.seen_at), clock_drift_s = COALESCE(v.drift, s.clock_drift_s)
            FROM (
                SELECT s2.id, v2.epoch, v2.seen_at, v2.drift
                FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::float8[])
                    AS v2(id, epoch, seen_at, drift)
                JOIN stations_station s2 ON s2.id = v2.id
                ORDER BY s2.id
                FOR NO KEY UPDATE OF s2
            ) AS v
            WHERE s.id = v.id AND s.connection_epoch = v.epoch
            RETURNING s.id, s.registration_status
            """,
            [ids, *(list(column) for column in zip(*(seen[pk] for pk in ids), strict=True))],
        )
        return dict(cursor.fetchall())


def _refusal(station: Station, credentials: Credentials | None, version: str) -> RefusalReason | None:
    if station.has_password:
        if credentials is None:
            return RefusalReason.NO_CREDENTIALS
        if not station.allow_any_username and not _names(credentials.username, station.identity):
            return RefusalReason.WRONG_USERNAME
        if not verify_password(credentials.password, station.password_hash):
            return RefusalReason.WRONG_PASSWORD
    if not version and not station.assumed_version:
        return RefusalReason.NO_SUBPROTOCOL
    return None


def _names(username: bytes, identity: str) -> bool:
    """Compare with the decoded identity; chargers are as free with its case here as in the URL."""
    return username.decode("utf-8", "replace").lower() == identity.lower()


def _enrolment_refusal(version: str) -> RefusalReason | None:
    if settings.OCPP_ENROLMENT == "closed":
        return RefusalReason.UNKNOWN_IDENTITY
    if not version:
        return RefusalReason.NO_SUBPROTOCOL
    if settings.OCPP_ENROLMENT == "pending":
        pending = Station.objects.filter(registration_status=RegistrationStatus.PENDING)
        if pending.count() >= settings.PENDING_STATIONS_MAX:
            return RefusalReason.ENROLMENT_FULL
    return None


def _enrol(identity: str, now: datetime) -> Station:
    accepted = settings.OCPP_ENROLMENT == "open"
    status = RegistrationStatus.ACCEPTED if accepted else RegistrationStatus.PENDING
    # Two first connections at the same instant: one inserts, the other finds the row.
    Station.objects.bulk_create(
        [Station(identity=identity, registration_status=status, first_accepted_at=now if accepted else None)],
        ignore_conflicts=True,
    )
    return Station.objects.with_identity(identity).get()


_TAKE_OVER_SQL = """
    UPDATE stations_station AS s SET
        connection_epoch = s.connection_epoch + 1, gateway_channel = held.channel, remote_address = held.address,
        connected_at = held.at, last_seen_at = held.at, disconnected_at = NULL,
        version = COALESCE(NULLIF(held.version, ''), s.assumed_version)
    FROM (
        SELECT s2.id, s2.connected_at, s2.disconnected_at, s2.gateway_channel, v.channel, v.address, v.at, v.version
        FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::text[])
            AS v(id, channel, address, at, version)
        JOIN stations_station s2 ON s2.id = v.id
        ORDER BY s2.id
        FOR UPDATE OF s2
    ) AS held
    WHERE s.id = held.id
    RETURNING s.id, s.connection_epoch,
        CASE WHEN held.connected_at IS NOT NULL AND held.disconnected_at IS NULL
             THEN held.gateway_channel ELSE '' END,
        EXISTS (SELECT 1 FROM stations_command c WHERE c.station_id = s.id AND c.status = 'queued')
        OR EXISTS (SELECT 1 FROM stations_command c WHERE c.station_id = s.id AND c.status = 'sent')
        OR EXISTS (SELECT 1 FROM stations_command c WHERE c.station_id = s.id AND c.operation = 'reset'
                   AND c.expected_effect = 'waiting')
"""


def _take_over(attempts: Sequence[tuple[int, Attempt]]) -> dict[int, tuple[int, str, bool]]:
    """Raise the epochs of stations, by primary key; return them, the channels of the processes that held the stations
    until now, and whether commands wait for the stations.

    FOR UPDATE, not NO KEY: it waits for the transactions that hold the row FOR KEY SHARE in owns_station().
    """
    rows = [(pk, each.gateway_channel, each.remote_address[:64], each.now, each.version) for pk, each in attempts]
    taken = run_prepared(_TAKE_OVER_SQL, columns(rows))
    return {pk: (epoch, channel, has_commands) for pk, epoch, channel, has_commands in taken}


def _default(value: int | None, default: int) -> int:
    return default if value is None else value
