"""Keeps a station connected: opens its connection, boots on it, and reconnects with back-off when it is lost."""

import asyncio
from enum import Enum

from ocpp.v16 import call
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import WebSocketException

from evcharging.simulator.charge_point import ChargePoint
from evcharging.simulator.connection import CallFailed, NotAccepted, Offline
from evcharging.simulator.periodic_messages import send_periodic_messages
from evcharging.simulator.station import Station
from evcharging.simulator.websocket_client import SUBPROTOCOL, failure_reason, open_websocket

MAX_FAILURES = 8
"""Attempts in a row that may fail before the station gives up."""
ERROR_CLOSE_CODES = frozenset({1002, 1003, 1007, 1008, 1009, 1010, 1011})
"""Close codes with which a central system reports an invalid frame or an error of its own (RFC 6455 §7.4.1)."""


class Outcome(Enum):
    """How a connection ended: after the station was online on it, before that, or because it cannot be used."""

    SERVED = 1
    CLOSED_EARLY = 2
    UNUSABLE = 3


async def keep_connected(station: Station, *, waits_for_acceptance: bool) -> None:
    """Keep the station connected until cancelled; return once it cannot be, with an error recorded.

    :param waits_for_acceptance: repeat a BootNotification that is not accepted, instead of recording an error.
    """
    failures = 0
    while True:
        try:
            websocket = await _open(station)
        except (OSError, WebSocketException, ValueError, EOFError) as error:
            failures += 1
            if not station.first_online.is_set() or failures > MAX_FAILURES:
                station.record_error(f"cannot connect to {station.url}: {failure_reason(error)}")
                return
            await asyncio.sleep(_backoff_s(failures))
            continue
        station.is_reconnecting = False
        try:
            outcome = await _serve(station, websocket, waits_for_acceptance)
        finally:
            await websocket.close()
        if outcome == Outcome.UNUSABLE:
            return
        station.statistics.reconnections += 1
        if station.is_reconnecting:
            failures = 0
            await asyncio.sleep(station.reboot_s if station.must_boot else 0)
            continue
        if websocket.close_code in ERROR_CLOSE_CODES:
            error_text = f"the connection was closed with {websocket.close_code} {websocket.close_reason or ''}"
            station.record_error(error_text.rstrip())
        failures = 0 if outcome == Outcome.SERVED else failures + 1
        if failures > MAX_FAILURES:
            station.record_error("the connection was closed repeatedly before the station was online")
            return
        await asyncio.sleep(_backoff_s(failures))


async def _open(station: Station) -> ClientConnection:
    return await open_websocket(
        station.url,
        station.identity,
        password=station.state.password,
        ping_interval_s=station.configuration.integer("WebSocketPingInterval"),
    )


def _backoff_s(failures: int) -> float:
    return min(0.25 * 2**failures, 30)


async def _serve(station: Station, websocket: ClientConnection, waits_for_acceptance: bool) -> Outcome:
    """Boot if the station must, report its statuses, and serve the connection until it closes."""
    charge_point = ChargePoint(station, websocket)
    outcome = Outcome.CLOSED_EARLY
    serving = asyncio.create_task(charge_point.serve())
    periodic = asyncio.create_task(send_periodic_messages(station))
    try:
        if websocket.subprotocol != SUBPROTOCOL:
            station.record_error(f"the subprotocol is {websocket.subprotocol}, not {SUBPROTOCOL}")
            return Outcome.UNUSABLE
        if station.must_boot and not await _boot(station, charge_point, serving, waits_for_acceptance):
            return Outcome.UNUSABLE
        station.connection = charge_point
        for connector_id in (0, *station.connectors):
            await charge_point.send_call(station.status_notification(connector_id))
        await charge_point.send_call(call.Heartbeat())
        station.mark_online()
        outcome = Outcome.SERVED
        await serving
    except Offline:
        pass
    except CallFailed as failure:
        station.record_error(str(failure))
        return Outcome.UNUSABLE
    finally:
        station.mark_offline()
        serving.cancel()
        periodic.cancel()
    return outcome


async def _boot(
    station: Station, charge_point: ChargePoint, serving: asyncio.Task[None], waits_for_acceptance: bool
) -> bool:
    """Send BootNotifications until one is accepted; False, with an error recorded, if the station does not wait.

    :raises Offline: :raises CallFailed:
    """
    while station.must_boot:
        try:
            await charge_point.boot()
            station.must_boot = False
        except NotAccepted as answer:
            if not waits_for_acceptance:
                station.record_error(f"{answer} (the station must be accepted there first)")
                return False
            await asyncio.wait({serving}, timeout=answer.interval_s)
            if serving.done():
                raise Offline from None
    return True
