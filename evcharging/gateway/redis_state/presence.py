"""Which station is connected: leases in Redis, each holding the epoch of the connection that owns the station.

A lease is set on connect, refreshed while its process lives, and removed only by the connection that set it. A newer
connection has replaced the epoch, so the late close of an older one removes nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from evcharging.gateway.redis_state.batching import Batcher, RedisCommand
from evcharging.gateway.redis_state.client import OptionalRedis
from stations.selectors import presence_key

LEASE_S = 90
REFRESH_EVERY_S = 30

# Compare-and-set (or set if absent), and compare-and-delete: a lease of another epoch stays.
_SCRIPT = """
    for i, key in ipairs(KEYS) do
        local operation, epoch = ARGV[2 * i - 1], ARGV[2 * i]
        local held = redis.call('GET', key)
        if operation == 'claim' and (not held or tonumber(held) <= tonumber(epoch)) then
            redis.call('SET', key, epoch, 'EX', LEASE_S)
        elseif operation == 'release' and held == epoch then
            redis.call('DEL', key)
        end
    end
"""


class Presence:
    """The leases of this process."""

    def __init__(self, redis: OptionalRedis) -> None:
        self._redis = redis
        self._script = redis.client.register_script(_SCRIPT.replace("LEASE_S", str(LEASE_S)))
        self._batcher = Batcher(self._execute)

    async def claim(self, epochs: Mapping[int, int]) -> None:
        """Set or refresh the leases of stations (id → epoch); a lease of a newer epoch stays."""
        last = None
        for station_id, epoch in epochs.items():
            last = self._batcher.submit(RedisCommand(presence_key(station_id), ("claim", str(epoch))))
        if last is not None:
            await last  # commands run in the order of submission

    async def release(self, station_id: int, epoch: int) -> None:
        """Remove the lease if it still holds this epoch."""
        await self._batcher.submit(RedisCommand(presence_key(station_id), ("release", str(epoch))))

    async def _execute(self, batch: Sequence[RedisCommand]) -> Sequence[Any]:
        if not self._redis.is_paused:
            arguments = [argument for command in batch for argument in command.arguments]
            await self._redis.attempt(self._script([command.key for command in batch], arguments), None)
        return [None] * len(batch)
