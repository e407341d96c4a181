"""This process's table of connections, its lanes, and the few tasks that serve all of them.

One channel-layer receiver, one flush, one presence refresh per process, whatever the number of connections.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from channels.exceptions import ChannelFull
from channels.layers import get_channel_layer

from evcharging.gateway.charge_point import ChargePoint
from evcharging.gateway.counters import Counters
from evcharging.gateway.database.sessions import DatabaseAway
from evcharging.gateway.database.thread_pool import in_thread
from evcharging.gateway.lanes import Lanes
from evcharging.gateway.redis_state.answers import Answers
from evcharging.gateway.redis_state.client import OptionalRedis
from evcharging.gateway.redis_state.presence import REFRESH_EVERY_S, Presence
from evcharging.jobs.periodic import advance_commands, maintain, remove_old_rows, roll_up_samples
from stations.services.batches import advance_batches
from stations.services.connection import (
    Admission,
    Leave,
    reload_station,
    touch_stations,
)

logger = logging.getLogger(__name__)

COUNTERS_EVERY_S = 1.0
TOUCH_EVERY_S = 5.0
TOUCH_BATCH = 1000
COMMANDS_EVERY_S = 3.0
BATCHES_EVERY_S = 0.5
MAINTENANCE_EVERY_S = 3600.0
ROLL_UP_EVERY_S = 300.0
RECEIVE_RETRY_S = 1.0


class GatewayProcess:
    """What the connections of one process share."""

    def __init__(self) -> None:
        self.redis = OptionalRedis()
        self.answers = Answers(self.redis)
        self.presence = Presence(self.redis)
        self.counters = Counters()
        self.lanes = Lanes()
        self.connections: dict[int, ChargePoint] = {}
        self.channel = ""
        self._early_notices: set[int] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._layer = get_channel_layer()

    async def start(self) -> None:
        """Begin the tasks; once, before the first connection is admitted."""
        self.loop = asyncio.get_running_loop()
        if self._layer is not None:
            self.channel = await self._layer.new_channel("gateway")
            self._tasks.append(asyncio.create_task(self._receive()))
        every = (
            (COUNTERS_EVERY_S, self.counters.flush),
            (TOUCH_EVERY_S, self._touch),
            (REFRESH_EVERY_S, self._refresh_presence),
            (COMMANDS_EVERY_S, self._advance_commands),
            (BATCHES_EVERY_S, self._advance_batches),
            (MAINTENANCE_EVERY_S, self._maintain),
            (ROLL_UP_EVERY_S, self._roll_up),
        )
        self._tasks += [asyncio.create_task(_repeat(seconds, function)) for seconds, function in every]

    async def stop(self) -> None:
        """End the tasks and write what is still counted."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.counters.flush()
        await self.answers.close()
        await self.redis.close()

    async def register(self, charge_point: ChargePoint, admission: Admission) -> None:
        """Make a connection the station's one connection; the one it had before is closed, wherever it is."""
        previous_channel = admission.previous_channel
        station = charge_point.connection.station
        previous = self.connections.get(station.station_id)
        if previous is None or previous.connection.station.epoch < station.epoch:
            self.connections[station.station_id] = charge_point
        if previous is not None:
            loser = previous if previous.connection.station.epoch < station.epoch else charge_point
            await loser.connection.close(1000)
        elif previous_channel and previous_channel != self.channel:
            await self._notify(
                previous_channel,
                {"type": "station.taken_over", "station_id": station.station_id, "epoch": station.epoch},
            )
        if admission.has_commands or station.station_id in self._early_notices:
            charge_point.caller.notify()

    async def unregister(self, charge_point: ChargePoint) -> None:
        """Forget a closed connection; the station is marked offline only if this connection still owned it."""
        station = charge_point.connection.station
        if self.connections.get(station.station_id) is charge_point:
            del self.connections[station.station_id]
        await charge_point.caller.close()
        try:
            await self.lanes.leaves.submit(Leave(station.station_id, station.epoch, datetime.now(UTC)))
        except DatabaseAway:
            logger.warning("%s: its leave could not be written; its lease runs out", station.identity)
        await self.presence.release(station.station_id, station.epoch)

    async def _notify(self, channel: str, message: dict[str, Any]) -> None:
        """Notify another process. A lost notification costs a delay: its frames are dropped by their epoch."""
        if self._layer is None or self.redis.is_paused:
            return
        try:
            await self.redis.attempt(self._layer.send(channel, message), None)
        except ChannelFull:
            logger.debug("%s takes no more notifications: its process is dead or busy", channel)

    async def _receive(self) -> None:
        assert self._layer is not None
        while True:
            try:
                message = await self._layer.receive(self.channel)
            except Exception as error:
                # Redis is away; channels_redis raises whatever its client raised.
                logger.warning("channel layer: %s", error)
                await asyncio.sleep(RECEIVE_RETRY_S)
                continue
            try:
                await self._on_notification(message)
            except Exception:
                logger.exception("a notification could not be handled: %s", message)

    def notify(self, station_ids: Iterable[int]) -> None:
        """Let the connections of these stations look for commands; those that are not here are left alone."""
        for station_id in station_ids:
            charge_point = self.connections.get(station_id)
            if charge_point is not None:
                charge_point.caller.notify()
            else:
                self._early_notices.add(station_id)  # its connection is in the database and not yet in the table

    async def _on_notification(self, message: dict[str, Any]) -> None:
        if message["type"] == "commands.queued":
            self.notify(message["station_ids"])
            return
        charge_point = self.connections.get(message["station_id"])
        if charge_point is None:
            return
        if message["type"] == "station.taken_over" and charge_point.connection.station.epoch < message["epoch"]:
            await charge_point.connection.close(1000)
        elif message["type"] == "station.changed":
            await self._reload(charge_point)

    async def _reload(self, charge_point: ChargePoint) -> None:
        station = charge_point.connection.station
        fresh = await in_thread(reload_station, station_id=station.station_id, epoch=station.epoch)
        if fresh is None:
            await charge_point.connection.close(1000)
        else:
            charge_point.connection.use(fresh)

    async def _touch(self) -> None:
        """Write when stations were last seen; close connections that no longer own theirs."""
        now, monotonic = datetime.now(UTC), time.monotonic()
        due = {}
        for station_id, charge_point in self.connections.items():
            if charge_point.connection.last_frame_at > charge_point.connection.flushed_frame_at:
                due[station_id] = charge_point
        ids = list(due)
        for start in range(0, len(ids), TOUCH_BATCH):
            batch = ids[start : start + TOUCH_BATCH]
            seen = {
                station_id: (
                    due[station_id].connection.station.epoch,
                    now - timedelta(seconds=max(monotonic - due[station_id].connection.last_frame_at, 0)),
                    due[station_id].connection.clock_drift.seconds,
                )
                for station_id in batch
            }
            statuses = await in_thread(touch_stations, seen=seen)
            for station_id in batch:
                charge_point = due[station_id]
                charge_point.connection.flushed_frame_at = charge_point.connection.last_frame_at
                if station_id not in statuses:
                    await charge_point.connection.close(1000)
                elif statuses[station_id] != charge_point.connection.station.registration_status:
                    await self._reload(charge_point)

    async def _refresh_presence(self) -> None:
        epochs = {
            station_id: charge_point.connection.station.epoch for station_id, charge_point in self.connections.items()
        }
        await self.presence.claim(epochs)

    async def _advance_commands(self) -> None:
        """Do what no notification tells of: lost ones, expiry, first contact, effects that did not come in time."""
        self._early_notices.clear()
        queued = await in_thread(advance_commands, gateway_channel=self.channel, now=datetime.now(UTC))
        self.notify(queued)

    async def _advance_batches(self) -> None:
        await in_thread(advance_batches, now=datetime.now(UTC))

    async def _maintain(self) -> None:
        await in_thread(maintain, now=datetime.now(UTC))
        await in_thread(remove_old_rows, now=datetime.now(UTC))

    async def _roll_up(self) -> None:
        await in_thread(roll_up_samples, now=datetime.now(UTC))


async def _repeat(seconds: float, function: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await function()
        except DatabaseAway as error:
            logger.warning("%s waits for the database: %s", getattr(function, "__name__", function), error)
        except Exception:
            logger.exception("%s failed", getattr(function, "__name__", function))


_process: GatewayProcess | None = None
_starting: asyncio.Lock | None = None


def running_process() -> GatewayProcess | None:
    """Return this process's gateway if it has started."""
    return _process


async def gateway_process() -> GatewayProcess:
    """Return this process's gateway, started on the first call."""
    global _process, _starting
    if _process is not None:
        return _process
    _starting = _starting or asyncio.Lock()
    async with _starting:
        if _process is None:
            process = GatewayProcess()
            await process.start()
            _process = process
    return _process


async def stop_gateway_process() -> None:
    """Stop this process's gateway, if it ever started."""
    global _process, _starting
    process, _process, _starting = _process, None, None
    if process is not None:
        await process.stop()
