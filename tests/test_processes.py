"""Several server processes behind one port: they share it, are kept running, replaced one by one, leave nothing."""

import asyncio
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from channels.exceptions import ChannelFull
from channels_redis.core import RedisChannelLayer

from evcharging.embedded.servers import EmbeddedServers
from tests.support.charger import Charger
from tests.support.live_server import REPOSITORY, LiveServer
from tests.support.retrying_charger import Link, RetryingCharger, Session, make_session
from tests.support.serving import password_shown, running
from tests.support.stored_sessions import add_id_tag, assert_stored_exactly, wait_until
from tests.support.used_folders import EMBEDDED, fill_as_used

pytestmark = pytest.mark.live

TWO = {"PROCESSES": "2", "OCPP_ENROLMENT": "open"}


def children(server: LiveServer) -> dict[int, psutil.Process]:
    """Return the server processes under the supervisor."""
    found = {}
    for child in psutil.Process(server.pid).children():
        with suppress(psutil.Error):  # it may just be ending
            if any("--parent-fd" in word for word in child.cmdline()):
                found[child.pid] = child
    return found


def told(server: LiveServer, message: str) -> list[int]:
    """Return which processes logged a message, in order."""
    return [event["pid"] for event in server.events() if event["message"] == message]


def errors(server: LiveServer) -> list[str]:
    return [event["message"] for event in server.events() if event["level"] == "ERROR"]


def wait_serving(server: LiveServer, number: int = 2) -> None:
    """Wait until so many children are ready."""
    wait_until(lambda: len(set(told(server, "ready")) & set(children(server))) == number, 60)


def process_of(server: LiveServer, identity: str) -> int:
    """Return the pid of the process that took the station's latest connection."""
    return [event["pid"] for event in server.events() if event["message"].startswith(f"{identity} connected")][-1]


@pytest.fixture
def two_processes(start_server: Callable[..., LiveServer]) -> LiveServer:
    server = start_server(**TWO)
    wait_serving(server)
    add_id_tag(server, "TAG")
    return server


@pytest.fixture
def whole_system(short_tmp_path: Path) -> Iterator[LiveServer]:
    """Two processes with a PostgreSQL and a Valkey of their own; not started yet."""
    server = LiveServer(data_dir=fill_as_used(short_tmp_path), env=EMBEDDED | TWO)
    yield server
    server.__exit__()
    EmbeddedServers(short_tmp_path).stop_if_unused()


# One port


def test_processes_share_port_and_database(two_processes: LiveServer) -> None:
    server = two_processes
    assert len(password_shown(server)) == 1
    assert server.query("SELECT count(*) FROM auth_user") == [(1,)]
    for _ in range(200):  # whoever is quicker takes a connection
        with Charger(server.url, "CP") as charger:
            assert charger.boot()["status"] == "Accepted"
    taken = Counter(event["pid"] for event in server.events() if event["message"].startswith("CP connected"))
    assert set(taken) == set(children(server))
    assert server.terminate() == 0
    assert errors(server) == []


def test_taken_port_gets_one_line(start_server: Callable[..., LiveServer]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = start_server(wait=False, PORT=port, **TWO)
        assert server.process is not None
        assert server.process.wait(30) == 1
    assert server.text() == (
        f"CommandError: cannot listen on 127.0.0.1:{port}: Address already in use (set PORT or BIND to another)\n"
    )


def test_port_is_open_while_the_database_is_away(
    start_server: Callable[..., LiveServer], short_tmp_path: Path
) -> None:
    servers = EmbeddedServers(short_tmp_path / "late")
    (short_tmp_path / "late").mkdir()
    server = start_server(wait=False, DATABASE_URL=servers.postgres_url(), **TWO)
    wait_until(lambda: server.status("/healthz") == 200, 60)
    assert {server.status("/readyz") for _ in range(10)} == {503}
    servers.acquire()
    wait_serving(server)
    assert {server.status("/readyz") for _ in range(10)} == {200}
    assert server.terminate() == 0
    servers.release()


# Deaths


def test_killed_process_is_replaced_while_the_other_serves(two_processes: LiveServer) -> None:
    server = two_processes
    identities = [f"CP-{number}" for number in range(40)]
    chargers = [Charger(server.url, identity) for identity in identities]
    wait_until(lambda: server.text().count(" connected from ") == 40)
    where = {identity: process_of(server, identity) for identity in identities}
    victim = where["CP-0"]
    others = [charger for charger in chargers if where[charger.identity] != victim]
    os.kill(victim, signal.SIGKILL)
    killed_at = time.monotonic()
    with Charger(server.url, "CP-0") as again:  # at once, and not at the process that is only just starting
        assert again.boot()["status"] == "Accepted"
    for charger in others:
        assert charger.call("Heartbeat", {})[0] == 3
    wait_serving(server)
    assert time.monotonic() - killed_at < 15
    assert victim not in children(server)
    assert errors(server) == [f"process {victim} died (SIGKILL); another is started in 0.5 s"]
    assert {server.status("/readyz") for _ in range(20)} == {200}
    for charger in chargers:
        charger.close()


def test_killed_supervisor_takes_everything_with_it(whole_system: LiveServer) -> None:
    server = whole_system.start()
    wait_serving(server)
    left = children(server)
    charger = Charger(server.url, "CP")
    server.kill()
    with pytest.raises(Exception, match="1001"):
        charger.receive()
    _, alive = psutil.wait_procs(left.values(), timeout=60)
    assert alive == []
    assert running(server.data_dir) == []
    assert sorted(told(server, "stopped")) == sorted(left)
    server.start()
    wait_serving(server)
    assert server.terminate() == 0
    assert running(server.data_dir) == []


def test_supervisor_starts_again_at_once_after_it_was_killed(two_processes: LiveServer) -> None:
    before = set(children(two_processes))
    two_processes.restart()
    wait_serving(two_processes)
    assert set(children(two_processes)) & before == set()


def test_everything_killed_is_found_again(whole_system: LiveServer) -> None:
    server = whole_system.start()
    wait_serving(server)
    victims = [*children(server), EmbeddedServers(server.data_dir).postgres.running_pid()]
    server.kill()
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    server.start()
    assert password_shown(server) == []  # no first start
    assert server.terminate() == 0
    assert running(server.data_dir) == []


@pytest.mark.parametrize("after_s", [0.7, 2.0, 4.0])
def test_stop_while_starting_leaves_nothing_behind(whole_system: LiveServer, after_s: float) -> None:
    server = whole_system.start(wait=False)
    time.sleep(after_s)
    server.terminate()
    assert running(server.data_dir) == []


def test_processes_end_before_the_embedded_servers(whole_system: LiveServer) -> None:
    server = whole_system.start()
    wait_serving(server)
    pids = children(server)
    with Charger(server.url, "CP") as charger:
        charger.boot()
        assert server.terminate() == 0
    assert running(server.data_dir) == []
    assert sorted(told(server, "stopped")[:-1]) == sorted(pids)
    assert server.events()[-1]["message"] == "stopped"
    assert errors(server) == []


def test_terminal_that_hangs_up_is_no_rolling_restart(short_tmp_path: Path, live_environment: dict[str, str]) -> None:
    ours, theirs = pty.openpty()
    server = LiveServer(data_dir=short_tmp_path, env=live_environment | TWO)
    with server.log.open("wb") as log:
        server.process = subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            cwd=REPOSITORY,
            env=os.environ | server.env,
            stdin=theirs,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    os.close(theirs)
    try:
        wait_serving(server)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: told(server, "rolling restart done") != [], 60)
    finally:
        os.close(ours)
        server.process.send_signal(signal.SIGHUP)
    assert server.process.wait(60) == 0


def test_ring_for_a_dead_process_costs_no_connection(start_server: Callable[..., LiveServer]) -> None:
    """The bells of a process that was killed ring unheard, until its channel takes no more."""
    server = start_server(OCPP_ENROLMENT="open")
    with Charger(server.url, "CP"):
        server.kill()
    server.start()
    ((channel,),) = server.query("SELECT gateway_channel FROM stations_station")

    async def fill() -> None:
        layer = RedisChannelLayer(hosts=[server.env["REDIS_URL"]], prefix="evcharging", capacity=1000)
        try:
            while True:
                await layer.send(channel, {"type": "station.taken_over", "station_id": 0, "epoch": 0})
        except ChannelFull:
            await layer.close_pools()

    asyncio.run(fill())
    with Charger(server.url, "CP") as charger:
        assert charger.boot()["status"] == "Accepted"
    assert errors(server) == []


# Under load


async def _day(
    server: LiveServer, in_the_middle: Callable[[], None], *, chargers: int = 12, sessions: int = 12
) -> tuple[list[Session], list[RetryingCharger]]:
    """Chargers that keep what was not answered, and something that happens when a quarter of all is done; they go on
    until it is over, however long it takes."""
    fleet = [RetryingCharger([server.url], f"CP-{number}", seed=number) for number in range(chargers)]

    is_over = False

    async def work(charger: RetryingCharger) -> list[Session]:
        await charger.boot()
        done: list[Session] = []
        while len(done) < sessions or not is_over:
            pause_s = 0.05 if len(done) < sessions else 0.3  # there are fifty hours for sessions of an hour
            done.append(await charger.charge(make_session(charger.identity, len(done)), pause_s=pause_s))
        return done

    tasks = [asyncio.create_task(work(charger)) for charger in fleet]
    while sum(charger.answers for charger in fleet) < chargers * sessions * 6 // 4:
        await asyncio.sleep(0.01)
    await asyncio.to_thread(in_the_middle)
    is_over = True
    done = [session for worked in await asyncio.gather(*tasks) for session in worked]
    for charger in fleet:
        await charger.close()
    return done, fleet


async def test_rolling_restart_under_load_loses_nothing(two_processes: LiveServer) -> None:
    server = two_processes
    before = set(children(server))

    def restart() -> None:
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: told(server, "rolling restart done") != [], 60)

    done, fleet = await _day(server, restart, sessions=24)
    after = set(children(server))
    assert len(after) == 2
    assert after & before == set()
    assert sum(charger.connections for charger in fleet) > len(fleet)
    assert_stored_exactly(server.query, done)
    assert errors(server) == []


async def test_process_killed_under_load_loses_nothing(two_processes: LiveServer) -> None:
    server = two_processes

    def kill() -> None:
        os.kill(process_of(server, "CP-0"), signal.SIGKILL)
        wait_serving(server)

    done, fleet = await _day(server, kill, sessions=24)
    assert sum(charger.connections for charger in fleet) > len(fleet)
    assert_stored_exactly(server.query, done)
    assert [message.partition(" died ")[2] for message in errors(server)] == ["(SIGKILL); another is started in 0.5 s"]


async def test_drain_closes_some_sockets_a_second_and_serves_the_others(
    start_server: Callable[..., LiveServer],
) -> None:
    server = start_server(OCPP_ENROLMENT="open", DRAIN_PER_S=10)
    links = [await Link.open(server.url, f"CP-{number}") for number in range(20)]
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)

    async def until_closed(link: Link) -> tuple[float, int, int]:
        """Ask all the while; return when it was closed, with which code, and how much was answered."""
        answers = 0
        try:
            while True:
                await link.send(json.dumps([2, f"m{answers}", "Heartbeat", {}]))
                assert (await link.receive(5))[0] == 3
                answers += 1
                await asyncio.sleep(0.05)
        except Exception:
            return time.monotonic() - began, await link.closed_by_server(5), answers

    closed = sorted(await asyncio.gather(*map(until_closed, links)))
    assert {code for _, code, _ in closed} == {1001}
    assert closed[0][0] < 1.0
    assert closed[-1][0] > 1.8
    assert closed[-1][2] > 10
    assert server.process.wait(30) == 0
