"""What a station does in a run: its sessions one after the other, then it stays or leaves."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from evcharging.simulator.connector import Connector
from evcharging.simulator.link import stay_connected
from evcharging.simulator.meter import some_vehicle
from evcharging.simulator.session import Session
from evcharging.simulator.station import Station, id_tag_of
from evcharging.simulator.times import Pace, now

SESSION_S = 1800.0
"""How long a session is on average, in its own seconds."""
GAP_S = 120.0
LEAVE_S = 15.0


@dataclass(frozen=True)
class Plan:
    """One run. With a `duration_s` there are as many sessions as fit into it, else `sessions` at each station."""

    url: str
    stations: int = 1
    sessions: int = 1
    speed: float = SESSION_S / 15
    duration_s: float | None = None
    seed: int | None = None
    password: str = ""
    keep_connected: bool = False
    memory: Path | None = None
    reboot_s: float = 1.0


async def live(station: Station, plan: Plan, stop: asyncio.Event) -> None:
    """Do everything that the plan has for a station, until it is done or `stop`."""
    async with asyncio.TaskGroup() as tasks:
        station.begin(tasks)
        connected = tasks.create_task(stay_connected(station, waits_for_acceptance=plan.keep_connected))
        living = tasks.create_task(_live(station, plan, stop))
        await asyncio.wait({connected, living}, return_when=asyncio.FIRST_COMPLETED)
        living.cancel()
        connected.cancel()
        station.end()


async def _live(station: Station, plan: Plan, stop: asyncio.Event) -> None:
    await _first_of(station.was_online, stop)
    await _charge(station, plan, stop)
    if plan.keep_connected:
        await stop.wait()
    for session in station.sessions():
        session.stop("Local")
    try:
        async with asyncio.timeout(LEAVE_S):
            for session in station.sessions():
                await session.finished.wait()
    except TimeoutError:
        station.error("a session could not be ended")


async def _charge(station: Station, plan: Plan, stop: asyncio.Event) -> None:
    enough = stop
    if plan.duration_s is not None:
        enough = asyncio.Event()
        station.spawn(_ring(enough, stop, plan.duration_s))
    pace, share = _pace(station, plan)
    done = 0
    while not enough.is_set() and (plan.duration_s is not None or done < plan.sessions):
        connector = await _free_connector(station, done, enough)
        if connector is None:
            return
        session = Session(
            station,
            connector,
            id_tag_of(station.number),
            pace=pace,
            vehicle=some_vehicle(station.random, station.hardware),
            seconds=station.random.uniform(0.8, 1.2) * SESSION_S * share,
            is_planned=True,
        )
        station.spawn(session.run())
        await _first_of(session.finished, enough)
        session.stop("Local")
        await session.finished.wait()
        done += 1
        await pace.go(GAP_S * share, enough)


def _pace(station: Station, plan: Plan) -> tuple[Pace, float]:
    """Return when the station's first session begins and how fast time passes, and by how much sessions are shorter.

    All of them are to end by now, and to begin after those of an earlier run. Where there is too little time between,
    all is slower and shorter by the same factor: it takes as long as ever, and still power times time is energy.
    """
    if plan.duration_s is not None:
        real_s = plan.duration_s
    else:
        real_s = plan.sessions * (1.2 * SESSION_S + GAP_S) / plan.speed
    wanted_s, present = real_s * plan.speed, now()
    begin = present - timedelta(seconds=max(wanted_s - real_s, 0))
    latest = station.memory.latest_at
    if latest is None or latest <= begin:
        return Pace(begin, plan.speed), 1.0
    begin = min(latest, present)
    share = min(1.0, ((present - begin).total_seconds() + real_s) / wanted_s) if wanted_s else 1.0
    return Pace(begin, plan.speed * share), share


async def _free_connector(station: Station, number: int, enough: asyncio.Event) -> Connector | None:
    """Wait until there is a connector for the session of this number; they take turns."""
    while not enough.is_set():
        free = station.free_connectors(id_tag_of(station.number))
        if free:
            return free[number % len(free)]
        await asyncio.sleep(0.1)
    return None


async def _first_of(*events: asyncio.Event) -> None:
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


async def _ring(enough: asyncio.Event, stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass
    enough.set()
