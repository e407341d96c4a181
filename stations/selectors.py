"""What is known of stations."""

import re
import time
from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django_redis import get_redis_connection
from redis.exceptions import RedisError

from stations.models import UNFINISHED, Command, CommandBatchItem, CommandStatus, Station

FIRST_LOOK_S, LAST_LOOK_S = 0.005, 0.1
FILTER_FIELDS = (
    "identity", "name", "vendor", "model", "firmware_version", "registration_status", "charge_point_serial_number",
)  # fmt: skip
"""What stations can be chosen by in words."""


class UnknownFilter(ValueError):
    """A word to choose stations by that means nothing."""


def stations_with_queue(*, gateway_channel: str) -> list[int]:
    """Return the stations of a gateway process for which commands are queued."""
    queued = Command.objects.filter(status=CommandStatus.QUEUED, station__gateway_channel=gateway_channel)
    connected = queued.filter(station__disconnected_at=None)
    return list(connected.order_by("station_id").values_list("station_id", flat=True).distinct())


def presence_key(station_id: int) -> str:
    """Return where the presence lease of a station stands in Redis; its value is the owning connection's epoch."""
    return f"presence:{station_id}"


def online_ids(*, stations: Iterable[Station]) -> set[int]:
    """Return which of these stations are connected.

    PostgreSQL names the owner, Redis knows whether its process still lives: a process that was killed cannot mark its
    stations offline, but its leases run out. Without Redis, PostgreSQL's word is taken.
    """
    owned = [station for station in stations if station.is_online]
    if not owned:
        return set()
    try:
        leases = get_redis_connection("default").mget([presence_key(station.pk) for station in owned])
    except (RedisError, OSError):
        return {station.pk for station in owned}
    return {
        station.pk
        for station, lease in zip(owned, leases, strict=True)
        if lease is not None and int(lease) == station.connection_epoch
    }


def wait_until_ended(*, command_id: UUID, timeout_s: float) -> Command:
    """Return the command once it has ended, or as it is when the time is over.

    Its row is read again and again, since the row is the truth and whoever writes it may be any process.
    """
    deadline = time.monotonic() + timeout_s
    pause_s = FIRST_LOOK_S
    while True:
        command = Command.objects.select_related("station").get(pk=command_id)
        left_s = deadline - time.monotonic()
        if command.has_ended or left_s <= 0:
            return command
        time.sleep(min(pause_s, left_s))
        pause_s = min(pause_s * 1.3, LAST_LOOK_S)


class BatchProgress(NamedTuple):
    """How many stations of a batch are where: `waiting` are not commanded yet, `pending` have no answer yet.

    `refused` were not sent by our own rules; `failed` were answered no, with an error, or not at all.
    """

    total: int
    waiting: int
    pending: int
    succeeded: int
    failed: int
    refused: int


def batch_progress(*, batch_id: UUID) -> BatchProgress:
    """Count a batch's stations by how far they are."""
    items = CommandBatchItem.objects.filter(batch_id=batch_id)
    commanded = Q(command__isnull=False)
    return BatchProgress(
        **items.aggregate(
            total=Count("pk"),
            waiting=Count("pk", filter=Q(commanded_at=None)),
            pending=Count("pk", filter=commanded & Q(command__status__in=UNFINISHED)),
            succeeded=Count("pk", filter=Q(command__succeeded=True)),
            failed=Count("pk", filter=commanded & Q(command__succeeded=False)),
            refused=Count("pk", filter=~Q(refusal="")),
        )
    )


def stations_matching(words: Iterable[str]) -> QuerySet[Station]:
    """Return the stations that all words fit: `vendor=ABB`, `identity=CP-*`, `online`, `offline` …

    :raises UnknownFilter: a word that means nothing here.
    """
    stations = Station.objects.order_by("identity")
    for word in words:
        name, _, value = word.partition("=")
        if word in ("online", "offline"):
            is_connected = Q(connected_at__isnull=False, disconnected_at=None)
            stations = stations.filter(is_connected if word == "online" else ~is_connected)
        elif name not in FILTER_FIELDS or not value:
            fields = ", ".join(FILTER_FIELDS)
            raise UnknownFilter(f"{word}: choose by online, offline, or one of {fields} = a value (* for anything)")
        elif "*" in value:
            pattern = ".*".join(re.escape(part) for part in value.split("*"))
            stations = stations.filter(**{f"{name}__iregex": f"^{pattern}$"})
        else:
            stations = stations.filter(**{f"{name}__iexact": value})
    return stations
