"""Who is connected where: leases in Redis, each holding the epoch of the connection that owns the station.

A lease is set on connect, refreshed while its process lives, and removed only by the connection that set it; a newer
connection has replaced the epoch, so that the late close of an old one removes nothing.
"""

from collections.abc import Mapping

from evcharging.gateway.redis_client import OptionalRedis
from stations.selectors import presence_key

LEASE_S = 90
REFRESH_EVERY_S = 30
REFRESH_BATCH = 500

# Compare and delete; compare (or absent) and set: a lease of another epoch is left alone.
RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"
REFRESH = """
for index, key in ipairs(KEYS) do
    local held = redis.call('get', key)
    if not held or tonumber(held) <= tonumber(ARGV[index + 1]) then
        redis.call('set', key, ARGV[index + 1], 'EX', ARGV[1])
    end
end
"""


class Presence:
    """This process's leases."""

    def __init__(self, redis: OptionalRedis) -> None:
        self._redis = redis

    async def claim(self, epochs: Mapping[int, int]) -> None:
        """Set or refresh the leases of stations (id → epoch); a newer epoch's lease is left alone."""
        ids = list(epochs)
        for start in range(0, len(ids), REFRESH_BATCH):
            if self._redis.is_paused:
                return
            batch = ids[start : start + REFRESH_BATCH]
            keys = [presence_key(station_id) for station_id in batch]
            values = [str(epochs[station_id]) for station_id in batch]
            operation = self._redis.client.eval(REFRESH, len(keys), *keys, str(LEASE_S), *values)
            await self._redis.attempt(operation, None)  # type: ignore[arg-type]

    async def release(self, station_id: int, epoch: int) -> None:
        """Remove the lease if this epoch still holds it."""
        if not self._redis.is_paused:
            operation = self._redis.client.eval(RELEASE, 1, presence_key(station_id), str(epoch))
            await self._redis.attempt(operation, None)  # type: ignore[arg-type]
