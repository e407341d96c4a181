"""A small central system, and stations that stay with it while a test sends commands."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from evcharging.simulator.life import Plan
from evcharging.simulator.runner import simulate
from evcharging.simulator.tally import Tally
from tests.support.csms import Csms

Run = Callable[..., Awaitable["Running"]]


class Running:
    """A run in the background; `end` stops it and returns what happened."""

    def __init__(self, plan: Plan) -> None:
        self.lines: list[str] = []
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(simulate(plan, self.lines.append, self._stop))

    async def end(self) -> Tally:
        self._stop.set()
        return await self.finished()

    async def clear(self) -> None:
        """End it whatever became of it; a failure is that of its test alone."""
        self._stop.set()
        await asyncio.wait({self._task}, timeout=30)

    async def finished(self) -> Tally:
        async with asyncio.timeout(30):
            return await self._task


@pytest.fixture
async def csms() -> AsyncIterator[Csms]:
    async with Csms.running() as csms:
        yield csms


@pytest.fixture
async def run(csms: Csms) -> AsyncIterator[Callable[..., Running]]:
    """Start a run of one station: run(sessions=1, …) as Plan says; ended after the test."""
    started: list[Running] = []

    def start(**plan: Any) -> Running:
        defaults = {"url": csms.url, "sessions": 0, "speed": 1800.0, "seed": 7, "reboot_s": 0.1}
        started.append(Running(Plan(**(defaults | plan))))
        return started[-1]

    yield start
    for running in started:
        await running.clear()


@pytest.fixture
async def station(csms: Csms, run: Callable[..., Running]) -> AsyncIterator[Running]:
    """SIM-0001, with two connectors, booted and idle; no error may happen."""
    running = run(keep_connected=True)
    await csms.booted()
    yield running
    tally = await running.end()
    assert tally.error_lines() == []
