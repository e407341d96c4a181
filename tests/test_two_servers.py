"""Two server processes on one database: what a charger does to both at once is still one fact."""

import asyncio
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from evcharging.embedded.servers import EmbeddedServers
from tests.support.live_server import LiveServer
from tests.support.retrying_charger import (
    LOST,
    Link,
    RetryingCharger,
    Session,
    make_session,
    meter_payload,
    result_of,
    start_payload,
    stop_payload,
)
from tests.support.stored_sessions import add_id_tag, assert_stored_exactly, wait_until

START = {"connectorId": 1, "idTag": "TAG", "meterStart": 1000, "timestamp": "2026-03-01T12:00:00Z"}
NO_REDIS = "unix:///nonexistent/valkey.sock"


@pytest.fixture
def valkey(short_tmp_path: Path) -> Iterator[EmbeddedServers]:
    """A Valkey of the test's own."""
    own = EmbeddedServers(short_tmp_path / "redis", postgres=False)
    own.acquire()
    yield own
    own.release()


@pytest.fixture
def two_servers(start_server: Callable[..., LiveServer], valkey: EmbeddedServers) -> list[LiveServer]:
    """Two processes with one database and one Valkey, which the test may stop."""
    servers = [
        start_server(wait=False, OCPP_ENROLMENT="open", OCPP_PING_INTERVAL_S="1", REDIS_URL=valkey.valkey.url())
        for _ in range(2)
    ]
    return _ready(servers)


@pytest.fixture
def two_servers_without_redis(start_server: Callable[..., LiveServer]) -> list[LiveServer]:
    servers = [
        start_server(wait=False, OCPP_ENROLMENT="open", OCPP_PING_INTERVAL_S="1", REDIS_URL=NO_REDIS) for _ in range(2)
    ]
    return _ready(servers)


def _ready(servers: list[LiveServer]) -> list[LiveServer]:
    for server in servers:
        server.wait_ready()
    add_id_tag(servers[0], "TAG")
    return servers


async def _mischievous_day(
    servers: list[LiveServer], *, chargers: int, sessions: int, in_the_middle: Callable[[], None] | None = None
) -> list[Session]:
    """Chargers that lose answers, repeat frames and change servers mid-message; return their sessions."""
    fleet = [
        RetryingCharger([server.url for server in servers], f"CP-{n}", seed=n, lose=0.15, repeat=0.15, move=0.15)
        for n in range(chargers)
    ]

    async def work(charger: RetryingCharger) -> list[Session]:
        await charger.boot()
        return [await charger.charge(make_session(charger.identity, number)) for number in range(sessions)]

    tasks = [asyncio.create_task(work(charger)) for charger in fleet]
    if in_the_middle is not None:
        while sum(charger.answers for charger in fleet) < chargers * sessions * 2:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(in_the_middle)
    done = [session for worked in await asyncio.gather(*tasks) for session in worked]
    assert sum(charger.resends for charger in fleet) > chargers
    # What was left open was closed by the servers: a newer connection had won.
    left = [link for charger in fleet for link in charger.left]
    assert len(left) > chargers
    await asyncio.gather(*(link.closed_by_server(timeout_s=15) for link in left))
    for charger in fleet:
        await charger.close()
    return done


async def test_sessions_are_stored_once_over_two_servers(two_servers: list[LiveServer]) -> None:
    done = await _mischievous_day(two_servers, chargers=10, sessions=4)
    assert_stored_exactly(two_servers[0].query, done)


async def test_sessions_are_stored_once_though_redis_stops_in_the_middle(
    two_servers: list[LiveServer], valkey: EmbeddedServers
) -> None:
    def kill_redis() -> None:
        os.kill(valkey.valkey.running_pid(), signal.SIGKILL)

    done = await _mischievous_day(two_servers, chargers=10, sessions=4, in_the_middle=kill_redis)
    assert valkey.valkey.running_pid() == 0
    assert_stored_exactly(two_servers[0].query, done)


async def test_sessions_are_stored_once_without_redis(two_servers_without_redis: list[LiveServer]) -> None:
    done = await _mischievous_day(two_servers_without_redis, chargers=10, sessions=4)
    assert_stored_exactly(two_servers_without_redis[0].query, done)


async def test_identical_starts_at_both_servers_at_once_are_one_transaction(two_servers: list[LiveServer]) -> None:
    urls = [server.url for server in two_servers]
    answered: dict[str, list[int]] = {}
    frames = [json.dumps([2, f"s{number % 2}", "StartTransaction", START]) for number in range(4)]

    async def send_both(link: Link) -> list[int]:
        with suppress(*LOST):
            for frame in frames[:2]:
                await link.send(frame)
            return [result_of(await link.receive(5), f"s{number}")["transactionId"] for number in range(2)]
        return []

    async def connect_and_send(url: str, identity: str) -> list[int]:
        with suppress(*LOST):
            link = await Link.open(url, identity)
            ids = await send_both(link)
            await link.close()
            return ids
        return []

    for number in range(15):
        identity = f"CP-{number}"
        older = await Link.open(urls[number % 2], identity)
        racing = await asyncio.gather(
            send_both(older),
            *(connect_and_send(url, identity) for url in urls),
        )
        await older.close()
        answered[identity] = [transaction_id for ids in racing for transaction_id in ids]
        # Whatever was dropped unanswered, the charger sends again and finds the one transaction.
        link = await Link.open(urls[number % 2], identity)
        answered[identity].append((await link.call("again", "StartTransaction", START))["transactionId"])
        await link.close()
    rows = two_servers[0].query(
        "SELECT s.identity, t.transaction_id FROM transactions_transaction t"
        " JOIN stations_station s ON s.id = t.station_id"
    )
    assert sorted(rows) == sorted((identity, ids[-1]) for identity, ids in answered.items())
    assert all(set(ids) == {ids[-1]} for ids in answered.values()), answered


async def test_hundred_stops_at_once_are_one_stop(two_servers: list[LiveServer]) -> None:
    session = make_session("CP", 1)
    old = await Link.open(two_servers[0].url, "CP")
    session.transaction_id = (await old.call("1", "StartTransaction", start_payload(session)))["transactionId"]
    for number in range(len(session.samples)):
        await old.call(f"m{number}", "MeterValues", meter_payload(session, number))
    stop = stop_payload(session)
    for number in range(50):
        await old.send(json.dumps([2, f"old{number % 5}", "StopTransaction", stop]))
    new = await Link.open(two_servers[1].url, "CP")
    for number in range(50):
        await new.send(json.dumps([2, f"new{number % 5}", "StopTransaction", stop]))
    answers = [result_of(await new.receive(10), f"new{number % 5}") for number in range(50)]
    assert answers == [{"idTagInfo": {"status": "Accepted"}}] * 50
    await old.closed_by_server(timeout_s=10)
    session.is_stopped, session.answered_samples = True, len(session.samples)
    assert_stored_exactly(two_servers[0].query, [session])
    different = await new.call("other", "StopTransaction", stop | {"meterStop": session.meter_stop + 5})
    assert different == answers[0]
    assert two_servers[0].query("SELECT count(*), max(payload->>'meterStop') FROM transactions_stopconflict") == [
        (1, str(session.meter_stop + 5))
    ]
    assert two_servers[0].query("SELECT meter_stop FROM transactions_transaction") == [(session.meter_stop,)]
    await new.close()


def _ownership(server: LiveServer) -> tuple[int, bool]:
    """Return the station's epoch and whether PostgreSQL has it online."""
    ((epoch, is_online),) = server.query("SELECT connection_epoch, disconnected_at IS NULL FROM stations_station")
    return epoch, is_online


async def test_newest_connection_wins_across_servers(two_servers: list[LiveServer]) -> None:
    old = await Link.open(two_servers[0].url, "CP")
    new = await Link.open(two_servers[1].url, "CP")
    assert await old.closed_by_server(timeout_s=3) == 1000
    assert (await new.call("1", "Heartbeat", {})).keys() == {"currentTime"}
    await asyncio.sleep(0.5)
    assert _ownership(two_servers[0]) == (2, True)
    await new.close()
    wait_until(lambda: _ownership(two_servers[0]) == (2, False))


async def test_frame_of_the_old_connection_is_dropped_unanswered_without_redis(
    two_servers_without_redis: list[LiveServer],
) -> None:
    server, other = two_servers_without_redis
    old = await Link.open(server.url, "CP")
    new = await Link.open(other.url, "CP")
    await old.send(json.dumps([2, "1", "StartTransaction", START]))
    with pytest.raises(LOST):
        await old.receive(10)
    assert old.socket.close_code == 1000
    assert server.query("SELECT * FROM transactions_transaction") == []
    assert _ownership(server) == (2, True)
    assert (await new.call("1", "StartTransaction", START))["transactionId"] >= 1
    await new.close()
    wait_until(lambda: _ownership(server) == (2, False))


async def test_late_close_of_the_old_connection_leaves_the_station_online(two_servers: list[LiveServer]) -> None:
    hung, other = two_servers
    old = await Link.open(hung.url, "CP")
    os.kill(hung.pid, signal.SIGSTOP)
    old.abort()
    new = await Link.open(other.url, "CP")
    os.kill(hung.pid, signal.SIGCONT)
    wait_until(lambda: hung.status("/readyz") == 200)
    await asyncio.sleep(1)
    assert _ownership(other) == (2, True)
    assert (await new.call("1", "Heartbeat", {})).keys() == {"currentTime"}
    await new.close()
    wait_until(lambda: _ownership(other) == (2, False))


async def test_charger_that_flaps_between_servers_stays_served(two_servers: list[LiveServer]) -> None:
    links = []
    for number in range(30):
        link = await Link.open(two_servers[number % 2].url, "CP")
        links.append(link)
        if number % 3 == 0:
            await link.send(json.dumps([2, str(number), "StartTransaction", START]))
    assert (await links[-1].call("last", "StartTransaction", START))["transactionId"] >= 1
    await asyncio.gather(*(link.closed_by_server(timeout_s=10) for link in links[:-1]))
    assert two_servers[0].query("SELECT count(*) FROM transactions_transaction") == [(1,)]
    assert _ownership(two_servers[0]) == (30, True)
    await links[-1].close()
    wait_until(lambda: _ownership(two_servers[0]) == (30, False))
