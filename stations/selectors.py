"""What is known of stations."""

from collections.abc import Iterable

from django_redis import get_redis_connection
from redis.exceptions import RedisError

from stations.models import Command, CommandStatus, Station


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
