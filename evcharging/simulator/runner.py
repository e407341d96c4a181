"""Runs all stations of a plan at once, with a progress line every few seconds and a summary at the end."""

import asyncio
import time
from collections.abc import Callable
from random import Random
from urllib.parse import urlsplit

from evcharging.simulator.identities import identity_of
from evcharging.simulator.persistent_state import load_state
from evcharging.simulator.plan import Plan
from evcharging.simulator.run_statistics import RunStatistics
from evcharging.simulator.station import Station
from evcharging.simulator.station_run import run_station
from evcharging.simulator.websocket_client import OPEN_S, failure_reason

PROGRESS_S = 3.0
STAGGER_S = 0.01
"""Pause between the first connections of two stations."""


class Unreachable(Exception):
    """No TCP connection to the URL's host and port can be opened."""


async def simulate(plan: Plan, write_line: Callable[[str], None], stop: asyncio.Event) -> RunStatistics:
    """Run all stations until they are done, with `keep_connected` until `stop` is set; return the statistics.

    :raises Unreachable:
    """
    await check_reachable(plan.url)
    statistics, began = RunStatistics(), time.monotonic()
    stations = [_station(number, plan, statistics) for number in range(1, plan.stations + 1)]
    reporting = asyncio.create_task(_report_progress(stations, statistics, began, write_line))
    try:
        async with asyncio.TaskGroup() as task_group:
            for station in stations:
                task_group.create_task(run_station(station, plan, stop))
                await asyncio.sleep(STAGGER_S)
    finally:
        reporting.cancel()
    write_line(_summary(plan, statistics, time.monotonic() - began))
    return statistics


async def check_reachable(url: str) -> None:
    """Open and close a TCP connection to the URL's host.

    :raises Unreachable: with a message of one line.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    try:
        async with asyncio.timeout(OPEN_S):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except OSError as error:
        raise Unreachable(f"cannot connect to {url}: {failure_reason(error)}") from None
    writer.close()
    await writer.wait_closed()


def _station(number: int, plan: Plan, statistics: RunStatistics) -> Station:
    identity = identity_of(number)
    state = load_state(plan.state_dir, plan.url, identity)
    if plan.password:
        state.password = plan.password
    random = Random(None if plan.seed is None else f"{plan.seed}/{identity}")
    return Station(number, url=plan.url, statistics=statistics, state=state, random=random, reboot_s=plan.reboot_s)


async def _report_progress(
    stations: list[Station], statistics: RunStatistics, began: float, write_line: Callable[[str], None]
) -> None:
    while True:
        await asyncio.sleep(PROGRESS_S)
        connectors = [connector for station in stations for connector in station.connectors.values()]
        connected = sum(station.connection is not None for station in stations)
        charging = sum(connector.status == "Charging" for connector in connectors)
        power_kw = sum(connector.meter.power_w for connector in connectors) / 1000
        write_line(
            f"{time.monotonic() - began:4.0f} s: {connected} of {len(stations)} connected, {charging} charging with "
            f"{power_kw:.1f} kW, {_count(statistics.sessions, 'session')} done, "
            f"{_count(statistics.messages, 'message')}, {_errors(statistics)}"
        )


def _summary(plan: Plan, statistics: RunStatistics, seconds: float) -> str:
    return (
        f"{_count(plan.stations, 'station')}, {_count(statistics.sessions, 'session')}, "
        f"{statistics.energy_wh / 1000:.2f} kWh, {_count(statistics.answered_calls.total(), 'message')} answered, "
        f"{_count(statistics.commands.total(), 'command')}, {_count(statistics.reconnections, 'reconnection')}, "
        f"{_errors(statistics)} in {seconds:.1f} s"
    )


def _errors(statistics: RunStatistics) -> str:
    errors = statistics.errors.total()
    return _count(errors, "error") if errors else "no errors"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
