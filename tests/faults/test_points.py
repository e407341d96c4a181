"""kill -9 of the server and of PostgreSQL in the middle of a message, with a charger that keeps what has no answer."""

import asyncio
from collections.abc import Callable

import pytest

from tests.support.fault_points import POINTS, FaultPoint, Hold, When, hold_at
from tests.support.retrying_charger import RetryingCharger, Session, make_session
from tests.support.stored_sessions import assert_stored_exactly
from tests.support.whole_system import WholeSystem


async def _session_with_a_kill(
    system: WholeSystem,
    point: FaultPoint,
    kill: Callable[[Hold], object],
    afterwards: Callable[[], object] = lambda: None,
) -> RetryingCharger:
    """Charge once, with somebody killed while the message is held at the point; compare with what is stored.

    What is held goes on between `kill` and `afterwards`.
    """
    session = make_session("CP", 1, samples=2)
    async with RetryingCharger([system.url], "CP", seed=1, answer_s=20) as charger:
        await charger.boot()
        await _deliver(charger, session, until=point.step)
        async with asyncio.TaskGroup() as tasks:
            with hold_at(system.database_url, point) as held:
                tasks.create_task(_deliver(charger, session, until=""))
                await asyncio.to_thread(held.wait_until_reached)
                await asyncio.to_thread(kill, held)
                # The message may have come again by now, and have to wait for what is held.
                await asyncio.sleep(0.3)
            await asyncio.to_thread(afterwards)
    assert_stored_exactly(system.query, [session])
    return charger


async def _deliver(charger: RetryingCharger, session: Session, *, until: str) -> None:
    """Go on with a session, up to the first message of a step."""
    if until == "batched start":
        status = {"connectorId": session.connector_id, "errorCode": "NoError", "status": "Preparing"}
        await charger.deliver("StatusNotification", status)
    if until.endswith("start"):
        return
    if not session.transaction_id:
        await charger.start(session)
    if until == "sample":
        return
    for number in range(session.answered_samples, len(session.samples)):
        await charger.sample(session, number)
    if until != "stop":
        await charger.stop(session)


@pytest.mark.parametrize("point", POINTS, ids=str)
async def test_message_comes_again_while_the_killed_server_still_holds_it(
    system: WholeSystem, point: FaultPoint
) -> None:
    """PostgreSQL does not notice the kill while it waits: the old transaction ends after the new server is there."""
    charger = await _session_with_a_kill(system, point, lambda held: system.restart())
    assert charger.resends >= 1


@pytest.mark.parametrize("point", [point for point in POINTS if point.when is not When.BEFORE], ids=str)
async def test_message_comes_again_after_the_killed_server_committed_it(
    system: WholeSystem, point: FaultPoint
) -> None:
    charger = await _session_with_a_kill(system, point, lambda held: system.kill(), afterwards=system.start)
    assert charger.resends >= 1


@pytest.mark.parametrize("point", POINTS, ids=str)
async def test_kill_of_postgres_costs_a_wait_and_no_socket(system: WholeSystem, point: FaultPoint) -> None:
    charger = await _session_with_a_kill(system, point, lambda held: system.kill_postgres())
    assert (charger.resends, charger.connections) == (0, 1)


@pytest.mark.parametrize("point", POINTS, ids=str)
async def test_lost_database_connection_costs_a_second_try_and_no_socket(
    system: WholeSystem, point: FaultPoint
) -> None:
    charger = await _session_with_a_kill(system, point, Hold.terminate)
    assert (charger.resends, charger.connections) == (0, 1)
