"""manage.py serve and `make run`: the port first, then the database, and an orderly end."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evcharging.embedded.servers import EmbeddedServers
from tests.support.live_server import REPOSITORY, LiveServer
from tests.support.serving import login, password_shown, running
from tests.support.used_folders import EMBEDDED

pytestmark = pytest.mark.live


@pytest.fixture
def whole_system(short_tmp_path: Path) -> Iterator[LiveServer]:
    """A server that runs its PostgreSQL and Valkey itself; not started yet."""
    server = LiveServer(data_dir=short_tmp_path, env=EMBEDDED)
    yield server
    server.__exit__()
    EmbeddedServers(short_tmp_path).stop_if_unused()


# On a database that is there


def test_server_answers_both_probes(server: LiveServer) -> None:
    assert server.get("/healthz") == (200, b"ok\n")
    assert server.get("/readyz") == (200, b'{"database": "ok", "migrations": "applied", "redis": "ok"}')


def test_static_files_come_out_of_the_packages(server: LiveServer) -> None:
    status, page = server.get("/admin/login/")
    paths = re.findall(r'(?:href|src)="(/static/[^"?]+)', page.decode())
    assert status == 200
    assert paths != []
    assert {server.status(path) for path in paths} == {200}


def test_two_servers_start_at_once_on_one_database(start_server: Callable[..., LiveServer]) -> None:
    first, second = start_server(wait=False), start_server(wait=False)
    first.wait_ready()
    second.wait_ready()
    assert first.query("SELECT count(*) FROM auth_user") == [(1,)]
    assert len(password_shown(first) + password_shown(second)) == 1


def test_terminate_exits_with_zero_when_all_is_down(server: LiveServer) -> None:
    assert server.terminate() == 0
    assert server.status("/healthz") == 0


def test_killed_server_starts_again_on_the_same_port(server: LiveServer) -> None:
    server.restart()
    assert server.status("/readyz") == 200


def test_taken_port_gets_one_line(start_server: Callable[..., LiveServer]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = start_server(wait=False, PORT=port)
        assert server.process is not None
        assert server.process.wait(30) == 1
    assert server.text() == (
        f"CommandError: cannot listen on 127.0.0.1:{port}: Address already in use (set PORT or BIND to another)\n"
    )


def test_address_of_another_machine_gets_one_line(start_server: Callable[..., LiveServer]) -> None:
    server = start_server(wait=False, BIND="192.0.2.1")
    assert server.process is not None
    assert server.process.wait(30) == 1
    assert server.text() == (
        f"CommandError: cannot listen on 192.0.2.1:{server.port}: Cannot assign requested address "
        "(set PORT or BIND to another)\n"
    )


def test_server_waits_for_a_database_that_is_away(
    start_server: Callable[..., LiveServer], short_tmp_path: Path
) -> None:
    servers = EmbeddedServers(short_tmp_path / "late")
    (short_tmp_path / "late").mkdir()
    server = start_server(wait=False, DATABASE_URL=servers.postgres_url())
    deadline = time.monotonic() + 30
    while server.status("/healthz") != 200:
        assert time.monotonic() < deadline, server.text()
        time.sleep(0.05)
    assert server.status("/readyz") == 503
    servers.acquire()
    server.wait_ready()
    server.terminate()
    servers.release()


def test_log_is_json_with_one_event_a_line(server: LiveServer) -> None:
    server.terminate()
    events = server.events()
    assert [sorted(event) for event in events] == [["level", "logger", "message", "pid", "time"]] * len(events)
    assert [event["message"] for event in events if event["logger"] == "evcharging.management.commands.serve"] == [
        "ready",
        "stopped",
    ]


# From an empty folder


def test_first_start_creates_an_admin_who_can_log_in(whole_system: LiveServer) -> None:
    server = whole_system.start()
    (password,) = password_shown(server)
    assert f"ws://127.0.0.1:{server.port}/ocpp/<identity>" in server.text()
    assert f"http://127.0.0.1:{server.port}/admin/" in server.text()
    assert f"manage.py simulate --url ws://127.0.0.1:{server.port}/ocpp" in server.text()
    assert login(server, "admin", password) == f"{server.http}/admin/"
    assert password not in "".join(event["message"] for event in server.events())


def test_second_start_finds_its_data_and_shows_no_password(whole_system: LiveServer) -> None:
    server = whole_system.start()
    (password,) = password_shown(server)
    assert server.terminate() == 0
    assert running(server.data_dir) == []
    server.start()
    assert password_shown(server) == [password]
    assert login(server, "admin", password) == f"{server.http}/admin/"


def test_start_after_everything_was_killed_finds_its_data(whole_system: LiveServer) -> None:
    server = whole_system.start()
    (password,) = password_shown(server)
    servers = EmbeddedServers(server.data_dir)
    victims = [servers.postgres.running_pid(), servers.valkey.running_pid()]
    server.kill()
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    server.start()
    assert login(server, "admin", password) == f"{server.http}/admin/"
    assert server.terminate() == 0
    assert running(server.data_dir) == []


@pytest.mark.parametrize("after_s", [0.5, 2.0, 4.0])
def test_stop_while_starting_leaves_nothing_behind(whole_system: LiveServer, after_s: float) -> None:
    server = whole_system.start(wait=False)
    time.sleep(after_s)
    server.terminate()
    assert running(server.data_dir) == []
    server.start()
    assert server.terminate() == 0


def test_server_restarts_its_killed_servers(whole_system: LiveServer) -> None:
    server = whole_system.start()
    servers = EmbeddedServers(server.data_dir)
    for pid in (servers.postgres.running_pid(), servers.valkey.running_pid()):
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    ready = b'{"database": "ok", "migrations": "applied", "redis": "ok"}'
    while server.get("/readyz") != (200, ready) or "Valkey restarted" not in server.text():
        assert time.monotonic() < deadline, server.text()
        time.sleep(0.05)
    assert server.terminate() == 0
    assert running(server.data_dir) == []


def test_signal_to_make_stops_everything_before_make_returns(whole_system: LiveServer) -> None:
    server = whole_system
    with server.log.open("wb") as log:
        make = subprocess.Popen(
            ["make", "run", f"PORT={server.port}", f"DATA_DIR={server.data_dir}"],
            cwd=REPOSITORY,
            env={**os.environ, **EMBEDDED, "LOG_FORMAT": "json"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    server.process = make
    server.wait_ready()
    make.send_signal(signal.SIGTERM)
    make.wait(60)
    assert running(server.data_dir) == []
    assert server.status("/healthz") == 0
    assert server.events()[-1]["message"] == "stopped"


def test_folder_that_cannot_be_written_gets_one_line() -> None:
    result = subprocess.run(
        [sys.executable, "manage.py", "serve"],
        cwd=REPOSITORY,
        env={**os.environ, **EMBEDDED, "DATA_DIR": "/proc/nothing"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        "error: the data folder /proc/nothing cannot be used: No such file or directory "
        "(set DATA_DIR to a folder you can write)\n"
    )
