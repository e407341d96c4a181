"""Fixtures: a minimal central system, and stations connected to it while a test sends commands."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from evcharging.simulator.plan import Plan
from evcharging.simulator.run_statistics import RunStatistics
from evcharging.simulator.runner import simulate
from tests.support.certificates import Authority, certificate_of
from tests.support.csms import Csms


class Running:
    """A simulation in the background; `end` stops it and returns its statistics."""

    def __init__(self, plan: Plan) -> None:
        self.lines: list[str] = []
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(simulate(plan, self.lines.append, self._stop))

    async def end(self) -> RunStatistics:
        self._stop.set()
        return await self.finished()

    async def discard(self) -> None:
        """Stop the run and ignore its outcome."""
        self._stop.set()
        await asyncio.wait({self._task}, timeout=30)

    async def finished(self) -> RunStatistics:
        async with asyncio.timeout(30):
            return await self._task


Run = Callable[..., Running]


@pytest.fixture
async def csms() -> AsyncIterator[Csms]:
    async with Csms.running() as csms:
        yield csms


@pytest.fixture
async def run(csms: Csms) -> AsyncIterator[Run]:
    """Start a run of one station with the fields of a Plan, run(sessions=1, …); it is stopped after the test."""
    started: list[Running] = []

    def start(**plan: Any) -> Running:
        defaults = {"url": csms.url, "sessions": 0, "speed": 1800.0, "seed": 7, "reboot_s": 0.1}
        started.append(Running(Plan(**(defaults | plan))))
        return started[-1]

    yield start
    for running in started:
        await running.discard()


@pytest.fixture
async def station(csms: Csms, run: Run) -> AsyncIterator[Running]:
    """SIM-0001, with two connectors, online and idle; the test fails if an error is recorded."""
    running = run(keep_connected=True)
    await csms.booted()
    yield running
    statistics = await running.end()
    assert statistics.error_lines() == []


@pytest.fixture(scope="session")
def authority() -> Authority:
    """The key and the self-signed certificate of a test authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key, certificate_of(key.public_key(), key)
