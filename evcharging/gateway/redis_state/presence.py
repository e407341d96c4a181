"""Who is connected where: leases in Redis, each holding the epoch of the connection that owns the station.

A lease is set on connect, refreshed while its process lives, and removed only by the connection that set it; a newer
connection has replaced the epoch, so that the late close of an old one removes nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from evcharging.gateway.redis_state.batching import Collector
from evcharging.gateway.redis_state.client import OptionalRedis
from stations.selectors import presence_key

LEASE_S = 90
REFRESH_EVERY_S = 30

# Compare (or absent) and set; compare and delete: a lease of another epoch is left alone.
_SCRIPT = """
    for i, key in ipairs(KEYS) do
        local what, epoch = ARGV[2 * i - 1], ARGV[2 * i]
        local held = redis.call('GET', key)
        if what == 'claim' and (not held or tonumber(held) <= tonumber(epoch)) then
            redis.call('SET', key, epoch, 'EX', LEASE_S)
        elseif what == 'release' and held == epoch then
            redis.call('DEL', key)
        end
    end
"""


class _Wish(NamedTuple):
    key: str
    what: str
    epoch: str


class Presence:
    """This process's leases."""

    def __init__(self, redis: OptionalRedis) -> None:
        self._redis = redis
        self._script = redis.client.register_script(_SCRIPT.replace("LEASE_S", str(LEASE_S)))
        self._wishes = Collector(self._execute)

    async def claim(self, epochs: Mapping[int, int]) -> None:
        """Set or refresh the leases of stations (id → epoch); a newer epoch's lease is left alone."""
        done = None
        for station_id, epoch in epochs.items():
            done = self._wishes.ask(_Wish(presence_key(station_id), "claim", str(epoch)))
        if done is not None:
            await done  # the last of them

    async def release(self, station_id: int, epoch: int) -> None:
        """Remove the lease if this epoch still holds it."""
        await self._wishes.ask(_Wish(presence_key(station_id), "release", str(epoch)))

    async def _execute(self, batch: Sequence[_Wish]) -> Sequence[Any]:
        if not self._redis.is_paused:
            arguments = [argument for wish in batch for argument in wish[1:]]
            await self._redis.attempt(self._script([wish.key for wish in batch], arguments), None)
        return [None] * len(batch)
