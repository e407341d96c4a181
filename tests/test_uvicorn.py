"""`evcharging.asgi:application` under uvicorn: what chargers and staff see of another server than ours."""

import asyncio
import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from evcharging.embedded.servers import EmbeddedServers
from stations.passwords import hash_password
from tests.support.charger import Charger
from tests.support.live_server import REPOSITORY, LiveServer
from tests.support.retrying_charger import Link, RetryingCharger, make_session
from tests.support.serving import login, running
from tests.support.stored_sessions import add_id_tag, assert_stored_exactly, wait_until
from tests.support.used_folders import EMBEDDED

pytestmark = pytest.mark.live

PASSWORD = b"0123456789abcdef"
#: As docs/operations/deploy.md shows them.
FLAGS = [
    "--ws-max-size=262144",
    "--ws-ping-interval=60",
    "--ws-ping-timeout=60",
    "--ws-per-message-deflate=false",
    "--timeout-graceful-shutdown=30",
]


class Uvicorn(LiveServer):
    """uvicorn on a free port."""

    flags: list[str] = FLAGS

    def arguments(self) -> list[str]:
        return ["-m", "uvicorn", "evcharging.asgi:application", f"--port={self.port}", *self.flags]


@pytest.fixture
def start_uvicorn(live_environment: dict[str, str], short_tmp_path: Path) -> Iterator[Callable[..., Uvicorn]]:
    started: list[Uvicorn] = []

    def start(*flags: str, **env: str) -> Uvicorn:
        server = Uvicorn(data_dir=short_tmp_path, env={**live_environment, "OCPP_ENROLMENT": "open", **env})
        server.flags = [*FLAGS, *flags]
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.__exit__()


@pytest.fixture
def server(start_uvicorn: Callable[..., Uvicorn]) -> Uvicorn:
    return start_uvicorn()


def set_password(server: LiveServer, identity: str) -> None:
    stored = hash_password(PASSWORD.decode())
    server.query("UPDATE stations_station SET password_hash = %s WHERE identity = %s", (stored, identity))


def told(server: LiveServer) -> list[str]:
    return [event["message"] for event in server.events() if event["logger"] == "evcharging.server.lifespan"]


def refusal(server: LiveServer, identity: str, *, url: str = "", **options: object) -> tuple[int, str]:
    """Return status and WWW-Authenticate of a refused handshake."""
    with pytest.raises(InvalidStatus) as refused:
        Charger(url or server.url, identity, **options)
    response = refused.value.response
    return response.status_code, response.headers.get("WWW-Authenticate", "")


def test_flags_are_those_of_the_documentation() -> None:
    shown = (REPOSITORY / "docs/operations/deploy.md").read_text()
    assert re.findall(r"--(?:ws|timeout)-[a-z-]+=\S+", shown) == FLAGS


# Start, probes, staff


def test_probes_answer(server: Uvicorn) -> None:
    assert server.get("/healthz") == (200, b"ok\n")
    assert server.get("/readyz") == (200, b'{"database": "ok", "migrations": "applied", "redis": "ok"}')


def test_port_is_open_while_the_database_is_away(live_environment: dict[str, str], short_tmp_path: Path) -> None:
    servers = EmbeddedServers(short_tmp_path / "late")
    (short_tmp_path / "late").mkdir()
    env = live_environment | {"DATABASE_URL": servers.postgres_url()}
    server = Uvicorn(data_dir=short_tmp_path, env=env).start(wait=False)
    wait_until(lambda: server.status("/healthz") == 200, 60)
    assert server.status("/readyz") == 503
    assert refusal(server, "CP")[0] == 503
    servers.acquire()
    server.wait_ready()
    server.__exit__()
    servers.release()


def test_static_files_and_admin_work(server: Uvicorn) -> None:
    (password,) = re.findall(r"user admin, password (\S+) \(shown this once\)", server.text())
    _, page = server.get("/admin/login/")
    paths = re.findall(r'(?:href|src)="(/static/[^"?]+)', page.decode())
    assert paths != []
    assert {server.status(path) for path in paths} == {200}
    assert login(server, "admin", password) == f"{server.http}/admin/"
    assert server.status("/ocpp/CP") == 426


def test_log_is_json_and_has_the_process_id(server: Uvicorn) -> None:
    server.get("/admin/login/")
    pid = server.pid
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(30)
    lines = server.text().splitlines()
    first_of_ours = next(number for number, line in enumerate(lines) if line.startswith("{"))
    rest = [line for line in lines[first_of_ours:] if line and not line.startswith("  user admin")]
    assert {json.loads(line)["pid"] for line in rest} == {pid}
    assert server.text().count("color_message") == 0
    assert told(server) == ["ready", "stopped"]


def test_two_workers_prepare_the_database_once(start_uvicorn: Callable[..., Uvicorn]) -> None:
    server = start_uvicorn("--workers=2")
    wait_until(lambda: sum(event["message"] == "ready" for event in server.events()) == 2, 60)
    assert server.query("SELECT count(*) FROM auth_user") == [(1,)]
    add_id_tag(server, "TAG")
    with Charger(server.url, "CP") as charger:
        assert charger.boot()["status"] == "Accepted"


# From an empty folder


def test_embedded_servers_start_and_stop_with_it(short_tmp_path: Path) -> None:
    server = Uvicorn(data_dir=short_tmp_path, env=EMBEDDED | {"OCPP_ENROLMENT": "open"}).start()
    with Charger(server.url, "CP") as charger:
        charger.boot()
        server.terminate()
        with pytest.raises(ConnectionClosed, match="1012"):
            charger.receive()
    assert running(short_tmp_path) == []
    assert told(server) == ["ready", "stopped"]


def test_server_that_cannot_start_ends(short_tmp_path: Path) -> None:
    folder = short_tmp_path / "embedded" / "postgres"
    folder.mkdir(parents=True)
    (folder / "PG_VERSION").write_text("9\n")
    server = Uvicorn(data_dir=short_tmp_path, env=EMBEDDED).start(wait=False)
    assert server.process.wait(60) != 0
    failed, stopped = told(server)
    assert "was made by PostgreSQL 9" in failed
    assert stopped == "stopped"
    assert running(short_tmp_path) == []


# Chargers


def test_refusals_have_their_status(server: Uvicorn) -> None:
    with Charger(server.url, "CP") as charger:
        charger.boot()
    set_password(server, "CP")
    challenge = 'Basic realm="OCPP", charset="UTF-8"'
    assert refusal(server, "CP") == (401, challenge)
    assert refusal(server, "CP", password=b"wrong-password-00") == (401, challenge)
    assert refusal(server, "OTHER", subprotocols=["ocpp0.9"]) == (400, "")
    assert refusal(server, "CP", url=f"ws://127.0.0.1:{server.port}/elsewhere/") == (404, "")
    with Charger(server.url, "CP", password=PASSWORD) as charger:
        assert charger.boot()["status"] == "Accepted"


def test_unknown_charger_is_refused_where_enrolment_is_closed(start_uvicorn: Callable[..., Uvicorn]) -> None:
    assert refusal(start_uvicorn(OCPP_ENROLMENT="closed"), "CP") == (404, "")


async def test_sessions_with_lost_answers_are_stored_once(server: Uvicorn) -> None:
    add_id_tag(server, "TAG")
    fleet = [RetryingCharger([server.url], f"CP-{n}", seed=n, lose=0.15, repeat=0.15, move=0.15) for n in range(6)]

    async def work(charger: RetryingCharger) -> list:
        await charger.boot()
        return [await charger.charge(make_session(charger.identity, number)) for number in range(4)]

    done = [session for worked in await asyncio.gather(*map(work, fleet)) for session in worked]
    left = [link for charger in fleet for link in charger.left]
    assert len(left) > 6
    await asyncio.gather(*(link.closed_by_server(timeout_s=15) for link in left))
    for charger in fleet:
        await charger.close()
    assert_stored_exactly(server.query, done)
    assert [event["message"] for event in server.events() if event["level"] == "ERROR"] == []


async def test_newest_connection_wins(server: Uvicorn) -> None:
    old = await Link.open(server.url, "CP")
    new = await Link.open(server.url, "CP")
    assert await old.closed_by_server(timeout_s=3) == 1000
    assert (await new.call("1", "Heartbeat", {})).keys() == {"currentTime"}
    new.abort()
    newest = await Link.open(server.url, "CP")  # the one before is dead, and closing it must not hurt
    assert (await newest.call("1", "Heartbeat", {})).keys() == {"currentTime"}
    await newest.close()
    wait_until(lambda: server.query("SELECT disconnected_at IS NULL FROM stations_station") == [(False,)])
    assert [event["message"] for event in server.events() if event["level"] == "ERROR"] == []


def test_longer_message_than_the_flag_allows_closes_1009(server: Uvicorn) -> None:
    with Charger(server.url, "CP") as charger:
        fits = json.dumps([2, "1", "Heartbeat", {}]) + " " * 200_000
        assert charger.exchange(fits)[0] == 3
        charger.send(fits + " " * 100_000)
        with pytest.raises(ConnectionClosed, match="1009"):
            charger.receive()


def test_pings_of_uvicorn_are_answered_and_the_charger_stays(start_uvicorn: Callable[..., Uvicorn]) -> None:
    """uvicorn's pings are one interval for all; a station's own limit holds without them, by its messages."""
    server = start_uvicorn("--ws-ping-interval=0.3", "--ws-ping-timeout=0.3")
    with Charger(server.url, "CP") as charger:
        charger.boot()
        time.sleep(1.5)  # websockets' client answers pings in a thread of its own
        assert charger.call("Heartbeat", {})[0] == 3


def test_silent_charger_is_closed_after_its_idle_limit(start_uvicorn: Callable[..., Uvicorn]) -> None:
    server = start_uvicorn(OCPP_IDLE_LIMIT_S="2", OCPP_PING_INTERVAL_S="1")
    with Charger(server.url, "CP") as charger:
        charger.boot()
        began = time.monotonic()
        with pytest.raises(ConnectionClosed, match="1000"):
            charger.receive(10)
        assert 1.5 < time.monotonic() - began < 5
    wait_until(lambda: server.query("SELECT disconnected_at IS NULL FROM stations_station") == [(False,)])
