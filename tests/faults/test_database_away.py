"""PostgreSQL that is away, or hangs, for longer than a message waits: nothing is answered, refused or doubled."""

import asyncio
import time
from collections.abc import Callable

import pytest

from tests.support.retrying_charger import RetryingCharger, make_session
from tests.support.stored_sessions import assert_stored_exactly
from tests.support.whole_system import WholeSystem, frozen

TRY_AGAIN_LATER = 1013
HOLD_S = 2.0


async def _until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.fixture
def system(_whole_system: WholeSystem) -> WholeSystem:
    """The system, with little patience."""
    return _whole_system.start_with(DB_HOLD_S=str(HOLD_S))


@pytest.mark.parametrize("step", ["start", "sample", "stop"])
async def test_frozen_postgres_closes_the_socket_and_the_message_comes_again(system: WholeSystem, step: str) -> None:
    session = make_session("CP", 1, samples=1)
    async with (
        RetryingCharger([system.url], "CP", seed=2, answer_s=20) as charger,
        RetryingCharger([system.url], "IDLE", seed=3) as idle,
    ):
        await charger.boot()
        await idle.boot()
        steps = {"start": charger.start, "sample": lambda own: charger.sample(own, 0), "stop": charger.stop}
        for name, deliver in steps.items():
            if name != step:
                await deliver(session)
                continue
            with frozen(system.embedded.postgres.running_pid()):
                delivery = asyncio.create_task(deliver(session))
                # The socket is closed without an answer, and the next connection is not taken.
                await _until(lambda: charger.resends >= 2)
                assert charger.close_codes == [TRY_AGAIN_LATER]
                assert not delivery.done()
                # What needs no database goes on.
                assert (await idle.deliver("Heartbeat", {})).keys() == {"currentTime"}
            await delivery
        assert idle.resends == 0
    assert_stored_exactly(system.query, [session])


async def test_no_sample_waits_longer_than_told_behind_those_of_others(system: WholeSystem) -> None:
    """While a batch hangs the next one collects; a late comer in it holds up nobody who came before."""
    sessions = [make_session(f"CP-{number}", 1, samples=1) for number in range(3)]
    fleet = [RetryingCharger([system.url], session.identity, seed=4, answer_s=30) for session in sessions]
    closed_after: dict[str, float] = {}

    async def sample(number: int) -> None:
        sent_at = time.monotonic()
        delivery = asyncio.create_task(fleet[number].sample(sessions[number], 0))
        await _until(lambda: fleet[number].close_codes != [])
        closed_after[fleet[number].identity] = time.monotonic() - sent_at
        await delivery

    for charger, session in zip(fleet, sessions, strict=True):
        await charger.start(session)
    async with asyncio.TaskGroup() as tasks:
        with frozen(system.embedded.postgres.running_pid()):
            for number, wait_s in enumerate((0.1, HOLD_S * 0.8, 0.0)):
                tasks.create_task(sample(number))
                await asyncio.sleep(wait_s)
            await _until(lambda: len(closed_after) == 3)
    for charger, session in zip(fleet, sessions, strict=True):
        await charger.stop(session)
        assert charger.close_codes == [TRY_AGAIN_LATER]
        await charger.close()
    assert_stored_exactly(system.query, sessions)
    assert max(closed_after.values()) < HOLD_S * 1.6, closed_after


async def test_postgres_away_for_long_closes_sockets_and_every_message_comes_again(system: WholeSystem) -> None:
    sessions = [make_session(f"CP-{number}", 1, samples=1) for number in range(3)]
    starting, sampling, stopping = (
        RetryingCharger([system.url], session.identity, seed=5, answer_s=20) for session in sessions
    )
    fleet = [starting, sampling, stopping]
    await starting.boot()
    await sampling.start(sessions[1])
    await stopping.start(sessions[2])
    await stopping.sample(sessions[2], 0)
    async with asyncio.TaskGroup() as tasks:
        with system.without_postgres():
            tasks.create_task(starting.start(sessions[0]))
            tasks.create_task(sampling.sample(sessions[1], 0))
            tasks.create_task(stopping.stop(sessions[2]))
            await _until(lambda: all(charger.resends >= 2 for charger in fleet))
            assert [charger.close_codes for charger in fleet] == [[TRY_AGAIN_LATER]] * 3
    await starting.sample(sessions[0], 0)
    await starting.stop(sessions[0])
    await sampling.stop(sessions[1])
    for charger in fleet:
        await charger.close()
    assert_stored_exactly(system.query, sessions)
