"""Something dies, stops or hangs while several stations charge at full speed: all go on, and nothing is doubled."""

import asyncio
from collections.abc import Callable

import pytest

from tests.faults.run import run
from tests.support.fleet import Fleet
from tests.support.whole_system import WholeSystem, frozen

STATIONS = 8


def _stop_valkey(system: WholeSystem) -> None:
    system.embedded.valkey.stop()


def _restart_postgres(system: WholeSystem) -> None:
    with system.without_postgres():
        pass


@pytest.mark.parametrize(
    ("name", "disturb"),
    [
        ("Valkey", WholeSystem.kill_valkey),
        ("Valkey", _stop_valkey),
        ("PostgreSQL", WholeSystem.kill_postgres),
        ("PostgreSQL", _restart_postgres),
    ],
    ids=["kill of Valkey", "stop of Valkey", "kill of PostgreSQL", "stop of PostgreSQL"],
)
async def test_stations_charge_on_over_the_restart_of_a_server(
    system: WholeSystem, name: str, disturb: Callable[[WholeSystem], None]
) -> None:
    """Twice, as what is left of the first time may matter; sockets stay open, and every message is answered."""
    restarts = system.text().count(f"{name} restarted")
    async with Fleet([system.url], STATIONS) as fleet:
        for number in (1, 2):
            await fleet.progress()
            await asyncio.to_thread(disturb, system)
            await fleet.progress()
            async with asyncio.timeout(30):
                while system.text().count(f"{name} restarted") < restarts + number:
                    await asyncio.sleep(0.05)
            await fleet.progress()
    assert [(charger.resends, charger.connections) for charger in fleet.chargers] == [(0, 1)] * STATIONS
    outcome = await asyncio.to_thread(fleet.outcome, system.query)
    assert outcome.is_exact, f"{outcome}\n{outcome.differences[:20]}"


async def test_stations_charge_on_while_valkey_hangs(system: WholeSystem) -> None:
    async with Fleet([system.url], STATIONS) as fleet:
        await fleet.progress()
        with frozen(system.embedded.valkey.running_pid()):
            await fleet.progress(10)
        await fleet.progress()
    assert [(charger.resends, charger.connections) for charger in fleet.chargers] == [(0, 1)] * STATIONS
    outcome = await asyncio.to_thread(fleet.outcome, system.query)
    assert outcome.is_exact, f"{outcome}\n{outcome.differences[:20]}"


async def test_rows_are_what_was_acknowledged_though_the_server_is_killed_again_and_again(
    system: WholeSystem,
) -> None:
    said: list[str] = []
    outcome = await run(system, stations=20, seconds=9, kills=2, say=said.append)
    print(*said, outcome, sep="\n")
    assert outcome.is_exact, f"{outcome}\n{outcome.differences[:20]}"
    assert outcome.acked["StopTransaction"] >= 20
