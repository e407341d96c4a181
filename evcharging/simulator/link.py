"""A station's connection: made, announced, kept alive, and made again when it is lost."""

import asyncio
import os
import re
from base64 import b64encode
from datetime import datetime
from enum import Enum

from ocpp.v16 import call
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from evcharging.simulator.charge_point import ChargePoint
from evcharging.simulator.connection import CallFailed, NotAccepted, Offline
from evcharging.simulator.station import Station
from evcharging.simulator.times import now

SUBPROTOCOL = Subprotocol("ocpp1.6")
OPEN_S, CLOSE_S = 20, 5
RECONNECTS = 8
BAD_CODES = frozenset({1002, 1003, 1007, 1008, 1009, 1010, 1011})
"""Codes with which a central system says that a frame was wrong, or that it failed over one."""

_HEX_KEY = re.compile(r"(?:[0-9A-Fa-f]{2}){16,20}")
_HTTP = {401: "the password is missing or wrong", 404: "the identity is unknown there", 503: "not ready"}


class Use(Enum):
    """What became of a connection: SERVED until it ended, ended in the BRIEF time before that, IMPOSSIBLE to use."""

    SERVED = 1
    BRIEF = 2
    IMPOSSIBLE = 3


async def stay_connected(station: Station, *, waits_for_acceptance: bool) -> None:
    """Keep the station connected; return, with the error counted, when that is no longer possible."""
    failures = 0
    while True:
        try:
            connection = await _connect(station)
        except (OSError, WebSocketException, ValueError, EOFError) as error:
            failures += 1
            if not station.was_online.is_set() or failures > RECONNECTS:
                station.error(f"cannot connect to {station.url}: {reason(error)}")
                return
            await asyncio.sleep(min(0.25 * 2**failures, 30))
            continue
        station.expects_reconnection = False
        try:
            use = await _use(station, ChargePoint(station, connection), connection, waits_for_acceptance)
        finally:
            await connection.close()
        if use == Use.IMPOSSIBLE:
            return
        station.tally.reconnections += 1
        if station.expects_reconnection:
            failures = 0
            await asyncio.sleep(station.reboot_s if station.must_boot else 0)
            continue
        if connection.close_code in BAD_CODES:
            what = f"the connection was closed with {connection.close_code} {connection.close_reason or ''}"
            station.error(what.rstrip())
        failures = 0 if use == Use.SERVED else failures + 1
        if failures > RECONNECTS:
            station.error("the connection is closed again and again before it can be used")
            return
        await asyncio.sleep(min(0.25 * 2**failures, 30))


async def _use(
    station: Station, charge_point: ChargePoint, connection: ClientConnection, waits_for_acceptance: bool
) -> Use:
    """Announce the station and serve the connection until it ends."""
    use = Use.BRIEF
    serving = asyncio.create_task(charge_point.serve())
    beating = asyncio.create_task(_beat(station))
    try:
        if connection.subprotocol != SUBPROTOCOL:
            station.error(f"the subprotocol is {connection.subprotocol}, not {SUBPROTOCOL}")
            return Use.IMPOSSIBLE
        while station.must_boot:
            try:
                await charge_point.boot()
                station.must_boot = False
            except NotAccepted as answer:
                if not waits_for_acceptance:
                    station.error(f"{answer} (the station must be accepted there first)")
                    return Use.IMPOSSIBLE
                await asyncio.wait({serving}, timeout=answer.interval_s)
                if serving.done():
                    raise Offline from None
        station.connection = charge_point
        for connector_id in (0, *station.connectors):
            await charge_point.send_call(station.status_of(connector_id))
        await charge_point.send_call(call.Heartbeat())
        station.came_online()
        use = Use.SERVED
        await serving
    except Offline:
        pass
    except CallFailed as failure:
        station.error(str(failure))
        return Use.IMPOSSIBLE
    finally:
        station.went_offline()
        serving.cancel()
        beating.cancel()
    return use


async def _beat(station: Station) -> None:
    """Send heartbeats and clock-aligned samples as the configuration says at the time."""
    last_beat = last_look = now()
    while True:
        await asyncio.sleep(1)
        at = now()
        if station.connection is None:
            continue
        if (at - last_beat).total_seconds() >= station.configuration.integer("HeartbeatInterval"):
            last_beat = at
            await station.tell(call.Heartbeat())
        interval_s = station.configuration.integer("ClockAlignedDataInterval")
        if interval_s and _period(at, interval_s) != _period(last_look, interval_s):
            for connector_id in (0, *station.connectors):
                await _tell_aligned(station, connector_id)
        last_look = at


async def _tell_aligned(station: Station, connector_id: int) -> None:
    reading = station.reading_of(connector_id, "MeterValuesAlignedData", "Sample.Clock")
    if reading is not None:
        await station.tell(reading)


def _period(at: datetime, interval_s: int) -> int:
    return int(at.timestamp()) // interval_s


async def _connect(station: Station) -> ClientConnection:
    headers = {}
    if station.memory.password:
        credentials = station.identity.encode() + b":" + _key(station.memory.password)
        headers["Authorization"] = "Basic " + b64encode(credentials).decode()
    ping_s = station.configuration.integer("WebSocketPingInterval")
    return await connect(
        f"{station.url.rstrip('/')}/{station.identity}",
        subprotocols=[SUBPROTOCOL],
        additional_headers=headers,
        compression=None,
        ping_interval=ping_s or None,
        open_timeout=OPEN_S,
        close_timeout=CLOSE_S,
        proxy=None,
    )


def _key(password: str) -> bytes:
    """Return what goes over the wire: hexadecimal digits stand for bytes (OCPP-J 1.6 §6.2.2)."""
    return bytes.fromhex(password) if _HEX_KEY.fullmatch(password) else password.encode()


def reason(error: Exception) -> str:
    """Say in a few words why there is no connection."""
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        why = _HTTP.get(status)
        return f"refused with HTTP {status}" + (f" ({why})" if why else "")
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, InvalidHandshake):
        return f"no WebSocket there ({error})"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
