"""One station's part of a run: its sessions one after another, then it stays connected or ends."""

import asyncio
from datetime import timedelta

from evcharging.simulator.connection_loop import keep_connected
from evcharging.simulator.connector import Connector
from evcharging.simulator.identities import id_tag_of
from evcharging.simulator.meter import random_vehicle
from evcharging.simulator.plan import GAP_S, SESSION_S, Plan
from evcharging.simulator.session import Session
from evcharging.simulator.session_clock import SessionClock
from evcharging.simulator.station import Station
from evcharging.simulator.times import now

END_TIMEOUT_S = 15.0
"""How long the sessions of a station that ends may take to be reported."""


async def run_station(station: Station, plan: Plan, stop: asyncio.Event) -> None:
    """Run one station until it has done its part of the plan, `stop` is set, or it cannot be connected."""
    async with asyncio.TaskGroup() as task_group:
        station.start(task_group)
        connecting = task_group.create_task(keep_connected(station, waits_for_acceptance=plan.keep_connected))
        working = task_group.create_task(_run_plan(station, plan, stop))
        await asyncio.wait({connecting, working}, return_when=asyncio.FIRST_COMPLETED)
        working.cancel()
        connecting.cancel()
        station.cancel_tasks()


async def _run_plan(station: Station, plan: Plan, stop: asyncio.Event) -> None:
    await _wait_first(station.first_online, stop)
    await _run_sessions(station, plan, stop)
    if plan.keep_connected:
        await stop.wait()
    for session in station.sessions():
        session.stop("Local")
    try:
        async with asyncio.timeout(END_TIMEOUT_S):
            for session in station.sessions():
                await session.finished.wait()
    except TimeoutError:
        station.record_error(f"a session did not end within {END_TIMEOUT_S:.0f} s")


async def _run_sessions(station: Station, plan: Plan, stop: asyncio.Event) -> None:
    ending = stop
    if plan.duration_s is not None:
        ending = asyncio.Event()
        station.spawn(_set_after(ending, stop, plan.duration_s))
    clock, factor = _session_clock(station, plan)
    done = 0
    while not ending.is_set() and (plan.duration_s is not None or done < plan.sessions):
        connector = await _wait_free_connector(station, done, ending)
        if connector is None:
            return
        session = Session(
            station,
            connector,
            id_tag_of(station.number),
            clock=clock,
            vehicle=random_vehicle(station.random, station.hardware),
            duration_s=station.random.uniform(0.8, 1.2) * SESSION_S * factor,
            is_planned=True,
        )
        station.spawn(session.run())
        await _wait_first(session.finished, ending)
        session.stop("Local")
        await session.finished.wait()
        done += 1
        await clock.advance(GAP_S * factor, ending)


def _session_clock(station: Station, plan: Plan) -> tuple[SessionClock, float]:
    """Return the clock of a station's sessions, and the factor by which they are shorter than planned.

    The sessions are to end by now and to begin after those of the run before. Where less time lies between, speed and
    durations shrink by one factor: the run takes as long in real time, and energy is still power times time.
    """
    if plan.duration_s is not None:
        real_s = plan.duration_s
    else:
        real_s = plan.sessions * (1.2 * SESSION_S + GAP_S) / plan.speed
    simulated_s, present = real_s * plan.speed, now()
    begin = present - timedelta(seconds=max(simulated_s - real_s, 0))
    last_ended_at = station.state.last_session_ended_at
    if last_ended_at is None or last_ended_at <= begin:
        return SessionClock(begin, plan.speed), 1.0
    begin = min(last_ended_at, present)
    factor = min(1.0, ((present - begin).total_seconds() + real_s) / simulated_s) if simulated_s else 1.0
    return SessionClock(begin, plan.speed * factor), factor


async def _wait_free_connector(station: Station, session_number: int, ending: asyncio.Event) -> Connector | None:
    """Wait for a free connector, taking the free ones in turn; None once `ending` is set."""
    while not ending.is_set():
        free = station.free_connectors(id_tag_of(station.number))
        if free:
            return free[session_number % len(free)]
        await asyncio.sleep(0.1)
    return None


async def _wait_first(*events: asyncio.Event) -> None:
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


async def _set_after(ending: asyncio.Event, stop: asyncio.Event, seconds: float) -> None:
    """Set `ending` after some seconds, or as soon as `stop` is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass
    ending.set()
