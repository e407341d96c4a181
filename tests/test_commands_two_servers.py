"""Commands with two servers on one database: issued anywhere, sent once, never left hanging, whoever is killed."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from stations.models import Command, Station
from tests.support.answering_charger import AnsweringCharger
from tests.support.commanding import request_frame
from tests.support.live_server import LiveServer

EXPIRY_S, TIMEOUT_S, GRACE_S = 12.0, 2.0, 15.0


@pytest.fixture
def two_servers(start_server: Callable[..., LiveServer]) -> list[LiveServer]:
    servers = [start_server(OCPP_ENROLMENT="open", OCPP_CALL_TIMEOUT_S=TIMEOUT_S, wait=False) for _ in range(2)]
    for server in servers:
        server.wait_ready()
    return servers


def request(station_id: int, *, resends: bool, waits_s: float) -> Command:
    return request_frame(
        station_id=station_id,
        action="ClearCache",
        payload={},
        requested_by="anna",
        via="shell",
        now=datetime.now(UTC),
        resends=resends,
        waits_s=waits_s,
    )


_thread = ThreadPoolExecutor(1)
"""The ORM's: a connection that is closed when the test ends."""


async def orm(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(_thread, partial(function, *args, **kwargs))


async def _scenario(servers: list[LiveServer], seed: int, run: str) -> tuple[list[AnsweringCharger], dict[str, bool]]:
    """Six chargers, sixty commands, and a kill -9 of either server at any moment; return chargers and commands."""
    dice = random.Random(seed)
    urls = [server.url for server in servers]
    chargers = [
        AnsweringCharger(urls, f"{run}-{number}", seed=seed + number, lose=0.05, ignore=0.05) for number in range(6)
    ]
    running = [asyncio.create_task(charger.run()) for charger in chargers]
    while not all(charger.connections for charger in chargers):
        await asyncio.sleep(0.02)
    rows = Station.objects.filter(identity__startswith=f"{run}-").values_list("pk", flat=True)
    ids = await orm(lambda: list(rows))
    requested: dict[str, bool] = {}
    kills = {dice.randrange(10, 50) for _ in range(2)}
    for number in range(60):
        resends = dice.random() < 0.3
        command = await orm(request, dice.choice(ids), resends=resends, waits_s=EXPIRY_S)
        requested[str(command.pk)] = resends
        if number in kills:
            victim = dice.choice(servers)
            await asyncio.to_thread(victim.kill)
            await asyncio.sleep(dice.uniform(0, 0.5))
            await asyncio.to_thread(victim.start)
        await asyncio.sleep(dice.uniform(0, 0.05))
    deadline = time.monotonic() + EXPIRY_S + TIMEOUT_S + GRACE_S
    while await orm(lambda: Command.objects.filter(pk__in=requested).unfinished().exists()):
        assert time.monotonic() < deadline, "a command hangs past its expiry"
        await asyncio.sleep(0.1)
    for charger in chargers:
        await charger.stop()
    await asyncio.gather(*running)
    return chargers, requested


@pytest.mark.django_db(transaction=True)
def test_commands_are_neither_lost_nor_doubled_nor_left_hanging(
    two_servers: list[LiveServer], capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []

    @settings(
        max_examples=3,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 2**31))
    def scenario(seed: int) -> None:
        chargers, requested = asyncio.run(_scenario(two_servers, seed, f"R{len(told)}"))
        told.append(_check(chargers, requested))

    with two_servers[0].orm():
        try:
            scenario()
        finally:
            _thread.submit(lambda: connection.close()).result()
    with capsys.disabled():
        print("\n" + "\n".join(told))


def _check(chargers: list[AnsweringCharger], requested: dict[str, bool]) -> str:
    sent: Counter[str] = sum((charger.sent for charger in chargers), Counter())
    answered = {pk: word for charger in chargers for pk, word in charger.answered.items()}
    rows = {str(row.pk): row for row in Command.objects.filter(pk__in=requested)}
    assert set(rows) == set(requested), "a command is lost"
    assert set(sent) <= set(requested), "a charger was sent what nobody asked for"
    assert [pk for pk, times in sent.items() if times > 1 and not requested[pk]] == [], "sent twice"
    assert max(charger.most_outstanding for charger in chargers) == 1
    for pk, row in rows.items():
        if row.status == "answered":
            assert row.result_status == answered[pk]
            assert row.succeeded is (answered[pk] == "Accepted")
        else:
            assert row.status in ("timed_out", "expired"), row.status
            assert (row.status == "expired") is (row.sent_at is None) or requested[pk]
        assert sent[pk] <= row.attempts, "sent without a claim"
    states: Counter[Any] = Counter(row.status for row in rows.values())
    return f"{len(requested)} commands: {dict(states)}; {sum(sent.values())} CALLs on the wire"
