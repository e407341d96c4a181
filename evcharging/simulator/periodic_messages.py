"""Heartbeats and clock-aligned meter values of a connected station."""

import asyncio
from datetime import datetime

from ocpp.v16 import call

from evcharging.simulator.station import Station
from evcharging.simulator.times import now


async def send_periodic_messages(station: Station) -> None:
    """Send heartbeats and clock-aligned meter values until cancelled; the intervals are read every second."""
    last_heartbeat_at = last_checked_at = now()
    while True:
        await asyncio.sleep(1)
        at = now()
        if station.connection is None:
            continue
        if (at - last_heartbeat_at).total_seconds() >= station.configuration.integer("HeartbeatInterval"):
            last_heartbeat_at = at
            await station.send(call.Heartbeat())
        interval_s = station.configuration.integer("ClockAlignedDataInterval")
        if interval_s and _interval_number(at, interval_s) != _interval_number(last_checked_at, interval_s):
            for connector_id in (0, *station.connectors):
                await _send_aligned_values(station, connector_id)
        last_checked_at = at


async def _send_aligned_values(station: Station, connector_id: int) -> None:
    meter_values = station.meter_values(connector_id, "MeterValuesAlignedData", "Sample.Clock")
    if meter_values is not None:
        await station.send(meter_values)


def _interval_number(at: datetime, interval_s: int) -> int:
    return int(at.timestamp()) // interval_s
