"""A run: all stations at once, a line every few seconds, and what came of it."""

import asyncio
import time
from collections.abc import Callable
from random import Random
from urllib.parse import urlsplit

from evcharging.simulator.life import Plan, live
from evcharging.simulator.link import OPEN_S, reason
from evcharging.simulator.memory import recall
from evcharging.simulator.station import Station, identity_of
from evcharging.simulator.tally import Tally

PROGRESS_S = 3.0
STAGGER_S = 0.01
"""Between one station's first connection and the next one's."""


class Unreachable(Exception):
    """Nobody listens at the URL."""


async def simulate(plan: Plan, say: Callable[[str], None], stop: asyncio.Event) -> Tally:
    """Run all stations until they are done, or until `stop` where they stay; return what happened.

    :raises Unreachable: nobody listens.
    """
    await check_reachable(plan.url)
    tally, began = Tally(), time.monotonic()
    stations = [_station(number, plan, tally) for number in range(1, plan.stations + 1)]
    reporting = asyncio.create_task(_report(stations, tally, began, say))
    try:
        async with asyncio.TaskGroup() as tasks:
            for station in stations:
                tasks.create_task(live(station, plan, stop))
                await asyncio.sleep(STAGGER_S)
    finally:
        reporting.cancel()
    say(_summary(plan, tally, time.monotonic() - began))
    return tally


async def check_reachable(url: str) -> None:
    """Try to connect, before anything is done.

    :raises Unreachable: with one line.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    try:
        async with asyncio.timeout(OPEN_S):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except OSError as error:
        raise Unreachable(f"cannot connect to {url}: {reason(error)}") from None
    writer.close()
    await writer.wait_closed()


def _station(number: int, plan: Plan, tally: Tally) -> Station:
    identity = identity_of(number)
    memory = recall(plan.memory, plan.url, identity)
    if plan.password:
        memory.password = plan.password
    random = Random(None if plan.seed is None else f"{plan.seed}/{identity}")
    return Station(number, url=plan.url, tally=tally, memory=memory, random=random, reboot_s=plan.reboot_s)


async def _report(stations: list[Station], tally: Tally, began: float, say: Callable[[str], None]) -> None:
    while True:
        await asyncio.sleep(PROGRESS_S)
        connectors = [connector for station in stations for connector in station.connectors.values()]
        connected = sum(station.connection is not None for station in stations)
        charging = sum(connector.status == "Charging" for connector in connectors)
        power_kw = sum(connector.meter.power_w for connector in connectors) / 1000
        say(
            f"{time.monotonic() - began:4.0f} s: {connected} of {len(stations)} connected, {charging} charging with "
            f"{power_kw:.1f} kW, {_count(tally.sessions, 'session')} done, {_count(tally.messages, 'message')}, "
            f"{_errors(tally)}"
        )


def _summary(plan: Plan, tally: Tally, seconds: float) -> str:
    return (
        f"{_count(plan.stations, 'station')}, {_count(tally.sessions, 'session')}, {tally.energy_wh / 1000:.2f} kWh, "
        f"{_count(tally.sent.total(), 'message')} answered, {_count(tally.commands.total(), 'command')}, "
        f"{_count(tally.reconnections, 'reconnection')}, {_errors(tally)} in {seconds:.1f} s"
    )


def _errors(tally: Tally) -> str:
    errors = tally.errors.total()
    return _count(errors, "error") if errors else "no errors"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
