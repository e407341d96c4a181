"""What stations report about themselves. All of it is safe to store twice: a retry finds its row."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, F

from stations.models import Boot, CertificateRequest, Deviation, Notice, RegistrationStatus, Station
from stations.services.configuration import settle_pending_values
from stations.services.follow_ups import PROGRESS_OF, note_boot, note_progress
from stations.types import BootReport

BOOT_ROW_AT_MOST_EVERY = timedelta(minutes=1)
PENDING_BOOT_INTERVAL_S = 60


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
def record_boot(
    *, station_id: int, report: BootReport, payload: Mapping[str, Any], received_at: datetime
) -> BootAnswer:
    """Keep what the station says it is and decide whether it may work (OCPP 1.6 §4.2).

    A station that boots again and again with the same words gets its answers, and one history row a minute.
    """
    station = Station.objects.select_for_update(no_key=True).get(pk=station_id)
    last_boot_at = station.last_boot_at
    changed = [name for name in report._fields if getattr(station, name) != getattr(report, name)]
    for name in changed:
        setattr(station, name, getattr(report, name))
    station.last_boot_at = station.last_seen_at = received_at
    station.save(update_fields=[*changed, "last_boot_at", "last_seen_at"])
    if changed or last_boot_at is None or received_at - last_boot_at >= BOOT_ROW_AT_MOST_EVERY:
        boot = Boot(
            station=station,
            received_at=received_at,
            answered_status=station.registration_status,
            vendor=report.vendor,
            model=report.model,
            firmware_version=report.firmware_version,
            payload=payload,
        )
        Boot.objects.bulk_create([boot], ignore_conflicts=True)
    if "firmware_version" in changed and station.configuration_requested_at is not None:
        Station.objects.filter(pk=station_id).update(configuration_requested_at=None)
    settle_pending_values(station_id=station_id, now=received_at)
    note_boot(station_id=station_id, now=received_at)
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
        kind="DataTransfer",
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
