"""What stations report about themselves. All of it is safe to store twice: a retry finds its row."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, F

from evcharging.db.prepared import columns, run_prepared
from stations.models import Boot, CertificateRequest, Deviation, Notice, NoticeKind, RegistrationStatus, Station
from stations.operations import Reset
from stations.services.configuration import settle_pending_values, stations_with_pending_values
from stations.services.expected_effects import PROGRESS_OF, note_boot, note_progress, stations_awaiting
from stations.types import BootReport

BOOT_ROW_AT_MOST_EVERY = timedelta(minutes=1)
PENDING_BOOT_INTERVAL_S = 60


class BootMessage(NamedTuple):
    """One BootNotification as received; `payload` before it was normalised."""

    station_id: int
    report: BootReport
    payload: Mapping[str, Any]
    received_at: datetime


@dataclass(frozen=True, slots=True)
class BootAnswer:
    """What a BootNotification is answered: status, and the heartbeat interval or wait in seconds."""

    status: str
    interval_s: int


class DeviationKey(NamedTuple):
    """What deviations are counted by."""

    station_id: int
    firmware_version: str
    action: str
    field: str
    rule: str


class DeviationCount(NamedTuple):
    """How often a deviation was seen since the last flush."""

    times: int
    sample: str
    first_seen_at: datetime
    last_seen_at: datetime


@transaction.atomic
def record_boots(*, messages: Sequence[BootMessage]) -> list[BootAnswer]:
    """Keep what stations say they are and decide whether they may work (OCPP 1.6 §4.2), in one database transaction.

    A station that boots again and again with the same words gets its answers, and one history row a minute.
    """
    ids = {message.station_id for message in messages}
    rows = Station.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk")
    stations = {station.pk: station for station in rows}
    boots = [boot for message in messages if (boot := _take_over_boot(stations[message.station_id], message))]
    Boot.objects.bulk_create(boots, ignore_conflicts=True)
    run_prepared(_UPDATE_BOOTED_SQL, columns([_booted(station) for station in stations.values()]))
    now = max(message.received_at for message in messages)
    for station_id in stations_with_pending_values(station_ids=ids):
        settle_pending_values(station_id=station_id, now=now)
    for station_id in sorted(stations_awaiting(station_ids=ids, operation=Reset.name)):
        note_boot(station_id=station_id, now=now)
    return [_boot_answer(stations[message.station_id]) for message in messages]


def _take_over_boot(station: Station, message: BootMessage) -> Boot | None:
    """Carry a boot over to its locked station, unsaved; return the history row that is due."""
    report, last_boot_at = message.report, station.last_boot_at
    changed = [name for name in report._fields if getattr(station, name) != getattr(report, name)]
    for name in changed:
        setattr(station, name, getattr(report, name))
    if "firmware_version" in changed:
        station.configuration_requested_at = None
    station.last_boot_at = station.last_seen_at = message.received_at
    if not changed and last_boot_at is not None and message.received_at - last_boot_at < BOOT_ROW_AT_MOST_EVERY:
        return None
    return Boot(
        station=station,
        received_at=message.received_at,
        answered_status=station.registration_status,
        vendor=report.vendor,
        model=report.model,
        firmware_version=report.firmware_version,
        payload=message.payload,
    )


_BOOTED = (*BootReport._fields, "configuration_requested_at", "last_boot_at", "last_seen_at")
_UPDATE_BOOTED_SQL = f"""
    UPDATE stations_station AS s SET {", ".join(f"{name} = v.{name}" for name in _BOOTED)}
    FROM unnest(%s::bigint[], {"%s::text[], " * len(BootReport._fields)}
                %s::timestamptz[], %s::timestamptz[], %s::timestamptz[]) AS v(id, {", ".join(_BOOTED)})
    WHERE s.id = v.id
"""


def _booted(station: Station) -> tuple[Any, ...]:
    return (station.pk, *(getattr(station, name) for name in _BOOTED))


def _boot_answer(station: Station) -> BootAnswer:
    if station.registration_status == RegistrationStatus.ACCEPTED:
        # 0 would leave the interval to the charger; some then never send one.
        interval_s = station.heartbeat_interval_s or settings.OCPP_HEARTBEAT_INTERVAL_S
        return BootAnswer(station.registration_status, interval_s)
    return BootAnswer(station.registration_status, PENDING_BOOT_INTERVAL_S)


@transaction.atomic
def record_notice(
    *,
    station_id: int,
    kind: str,
    unique_id: object,
    payload: Mapping[str, Any],
    received_at: datetime,
    status: str = "",
    request_id: int | None = None,
    detail: str = "",
    reported_at: datetime | None = None,
) -> None:
    """Keep a progress, security or vendor message; the same message of the same instant is kept once.

    Progress is also noted on the command that it tells about.
    """
    notice = Notice(
        station_id=station_id,
        kind=kind,
        status=status[:100],
        request_id=request_id,
        detail=detail,
        payload=payload,
        reported_at=reported_at,
        received_at=received_at,
        digest=content_digest(unique_id, payload),
    )
    Notice.objects.bulk_create([notice], ignore_conflicts=True)
    if kind in PROGRESS_OF:
        note_progress(station_id=station_id, kind=kind, status=status, request_id=request_id, now=received_at)


def record_data_transfer(
    *, station_id: int, unique_id: object, payload: Mapping[str, Any], received_at: datetime, detail: str
) -> None:
    """Keep a vendor message (OCPP 1.6 §4.3), understood or not."""
    record_notice(
        station_id=station_id,
        kind=NoticeKind.DATA_TRANSFER,
        unique_id=unique_id,
        payload=payload,
        received_at=received_at,
        detail=detail,
    )


def record_certificate_request(*, station_id: int, csr: str, received_at: datetime) -> None:
    """Keep a certificate signing request; the same one sent again is the same request."""
    request = CertificateRequest(
        station_id=station_id, csr=csr, received_at=received_at, digest=content_digest(None, {"csr": csr})
    )
    CertificateRequest.objects.bulk_create([request], ignore_conflicts=True)


@transaction.atomic
def record_deviations(*, counts: Mapping[DeviationKey, DeviationCount]) -> None:
    """Add counted deviations; a station's list is capped, its known rows go on counting."""
    known = dict.fromkeys((key.station_id for key in counts), 0)
    rows = Deviation.objects.filter(station_id__in=known).order_by().values_list("station_id")
    known |= dict(rows.annotate(rows=Count("pk")))
    for key in sorted(counts):
        seen = counts[key]
        updated = Deviation.objects.filter(**key._asdict()).update(
            count=F("count") + seen.times, sample=seen.sample, last_seen_at=seen.last_seen_at
        )
        if updated or known[key.station_id] >= settings.DEVIATIONS_MAX_PER_STATION:
            continue
        known[key.station_id] += 1
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO stations_deviation
                    (station_id, firmware_version, action, field, rule, sample, first_seen_at, last_seen_at, count)
                VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
                ON CONFLICT (station_id, firmware_version, action, field, rule)
                DO UPDATE SET count = stations_deviation.count + excluded.count, last_seen_at = excluded.last_seen_at
                """,
                [*key, seen.sample, seen.first_seen_at, seen.last_seen_at, seen.times],
            )


def content_digest(unique_id: object, payload: Mapping[str, Any]) -> UUID:
    """Return 128 bits that stand for a message's id and content."""
    text = orjson.dumps([unique_id, payload], option=orjson.OPT_SORT_KEYS)
    return UUID(bytes=hashlib.blake2b(text, digest_size=16).digest())
