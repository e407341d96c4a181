"""The embedded servers: they come up, stay up, keep what they were given, and leave nothing behind."""

import os
import select
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis

from evcharging.embedded.process import EmbeddedServerError, command_line
from evcharging.embedded.servers import EmbeddedServers, EmbeddedServersInUse
from tests.support.live_server import REPOSITORY

pytestmark = pytest.mark.live

HOLD = """
import sys, time
from pathlib import Path
from evcharging.embedded.servers import EmbeddedServers
servers = EmbeddedServers(Path(sys.argv[1]))
servers.acquire()
print("held", flush=True)
sys.stdin.read()
servers.release()
"""


@contextmanager
def holding_process(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that uses the data folder's servers until its standard input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(data_dir)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "held\n"
        yield process
        if process.poll() is None:
            process.stdin.close()


def query(servers: EmbeddedServers, sql: str) -> str:
    with psycopg.connect(servers.postgres_url(), autocommit=True) as connection:
        cursor = connection.execute(sql)
        return str(cursor.fetchall()[0][0]) if cursor.description else ""


def wait_for_other_pid(server: object, pid: int) -> None:
    deadline = time.monotonic() + 30
    while server.running_pid() in (0, pid):  # type: ignore[attr-defined]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def running(data_dir: Path) -> list[list[str]]:
    """Return the command lines of the processes that work in the folder."""
    lines = (command_line(int(entry)) for entry in os.listdir("/proc") if entry.isdigit())
    return [line for line in lines if any(word.startswith(str(data_dir)) for word in line)]


def test_acquire_keeps_committed_data_safe_from_a_power_cut(own_servers: EmbeddedServers) -> None:
    names = ("fsync", "synchronous_commit", "full_page_writes", "data_checksums")
    assert [query(own_servers, f"SHOW {name}") for name in names] == ["on"] * 4


def test_acquire_listens_on_no_network(own_servers: EmbeddedServers) -> None:
    assert query(own_servers, "SHOW listen_addresses") == ""
    assert redis.Redis.from_url(own_servers.valkey.url()).config_get("port") == {"port": "0"}


def test_wrong_password_is_refused(own_servers: EmbeddedServers) -> None:
    password = own_servers.postgres.password
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(own_servers.postgres_url().replace(password, "wrong"))
    url = own_servers.valkey.url().replace(own_servers.valkey.password, "wrong")
    with redis.Redis.from_url(url) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_passwords_can_be_read_by_their_owner_alone(own_servers: EmbeddedServers) -> None:
    for name in ("postgres.password", "valkey.password", "valkey/valkey.conf"):
        assert stat.filemode((own_servers.folder / name).stat().st_mode) == "-rw-------"


def test_release_leaves_nothing_running_and_keeps_the_data(short_tmp_path: Path) -> None:
    servers = EmbeddedServers(short_tmp_path)
    servers.acquire()
    query(servers, "CREATE TABLE kept AS SELECT 42 AS answer")
    servers.release()
    assert running(short_tmp_path) == []
    again = EmbeddedServers(short_tmp_path)
    again.acquire()
    assert query(again, "SELECT answer FROM kept") == "42"
    again.release()


def test_release_leaves_the_servers_to_who_still_uses_them(own_servers: EmbeddedServers) -> None:
    pid = own_servers.postgres.running_pid()
    with holding_process(own_servers.folder.parent):
        pass
    assert own_servers.postgres.running_pid() == pid


def test_last_of_two_processes_stops_the_servers(short_tmp_path: Path) -> None:
    servers = EmbeddedServers(short_tmp_path)
    with holding_process(short_tmp_path):
        servers.acquire()
        servers.release()
        assert len(running(short_tmp_path)) == 3  # the holder, PostgreSQL, Valkey
    assert running(short_tmp_path) == []


def test_exclusive_use_is_refused_beside_another_process(short_tmp_path: Path) -> None:
    servers = EmbeddedServers(short_tmp_path)
    with holding_process(short_tmp_path):
        with pytest.raises(EmbeddedServersInUse), servers.exclusively():
            pass
        assert (servers.is_held, servers.postgres.is_running()) == (False, True)


def test_exclusive_use_makes_others_wait_and_leaves_them_the_servers(short_tmp_path: Path) -> None:
    servers = EmbeddedServers(short_tmp_path)
    with servers.exclusively():
        pid = servers.postgres.running_pid()
        assert query(servers, "SELECT 1") == "1"
        waiting = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(short_tmp_path)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert waiting.stdout is not None
        assert select.select([waiting.stdout], [], [], 3)[0] == []
    with waiting:
        assert waiting.stdout.readline() == b"held\n"
        assert servers.postgres.running_pid() == pid
    assert running(short_tmp_path) == []
    assert servers.stop_if_unused()  # reaps them: they are this process's children


def test_killed_user_is_forgotten(short_tmp_path: Path) -> None:
    servers = EmbeddedServers(short_tmp_path)
    with holding_process(short_tmp_path) as process:
        pid = servers.postgres.running_pid()
        process.kill()
    servers.acquire()
    assert servers.postgres.running_pid() == pid
    servers.release()
    assert running(short_tmp_path) == []


def test_acquire_recovers_after_everything_was_killed(short_tmp_path: Path) -> None:
    servers = EmbeddedServers(short_tmp_path)
    with holding_process(short_tmp_path) as process:
        query(servers, "CREATE TABLE kept AS SELECT generate_series(1, 100000) AS number")
        for pid in (process.pid, servers.postgres.running_pid(), servers.valkey.running_pid()):
            os.kill(pid, signal.SIGKILL)
    servers.acquire()
    assert query(servers, "SELECT sum(number) FROM kept") == "5000050000"
    servers.release()


def test_acquire_takes_over_the_socket_of_a_killed_server_whose_pid_lives(short_tmp_path: Path) -> None:
    servers = EmbeddedServers(short_tmp_path)
    servers.acquire()
    servers.release()
    lock = servers.postgres.socket_dir / ".s.PGSQL.5432.lock"
    with subprocess.Popen(servers.postgres.as_user(["/bin/sleep", "600"])) as other:
        try:
            lock.write_text(f"{other.pid}\n{servers.postgres.folder}\n0\n5432\n{servers.postgres.socket_dir}\n")
            servers.acquire()
            assert query(servers, "SELECT 1") == "1"
            servers.release()
        finally:
            other.kill()


@pytest.mark.parametrize("name", ["postgres", "valkey"])
def test_supervisor_restarts_a_killed_server_at_the_same_address(own_servers: EmbeddedServers, name: str) -> None:
    query(own_servers, "CREATE TABLE kept AS SELECT 42 AS answer")
    own_servers.supervise()
    server = getattr(own_servers, name)
    pid = server.running_pid()
    os.kill(pid, signal.SIGKILL)
    wait_for_other_pid(server, pid)
    deadline = time.monotonic() + 30
    while not server.is_ready():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert query(own_servers, "SELECT answer FROM kept") == "42"
    with redis.Redis.from_url(own_servers.valkey.url()) as client:
        assert client.ping() is True


@pytest.mark.parametrize("name", ["postgres", "valkey"])
@pytest.mark.parametrize("after_s", [0.0, 0.05])
def test_server_that_has_not_told_its_pid_yet_is_stopped(
    own_servers: EmbeddedServers, name: str, after_s: float
) -> None:
    server = getattr(own_servers, name)
    server.stop()
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGINT)}
    try:  # as a process that is ending has them, and its child until it takes them for itself
        server.prepare()
        server._spawn()
        time.sleep(after_s)
        began = time.monotonic()
        server.stop()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert time.monotonic() - began < 20
    assert running(server.folder) == []


def test_acquire_starts_though_the_recorded_pid_is_another_process_by_now(short_tmp_path: Path) -> None:
    servers = EmbeddedServers(short_tmp_path)
    servers.acquire()
    servers.release()
    stranger = subprocess.Popen(servers.postgres.as_user(["/bin/sleep", "60"]))
    try:
        pid_file = servers.postgres.pid_file
        pid_file.write_text(f"{stranger.pid}\n{servers.postgres.folder}\n1\n5432\n\n\n\nready\n")
        servers.postgres.give(pid_file)
        servers.acquire()
        assert query(servers, "SELECT 1") == "1"
        assert stranger.poll() is None
        servers.release()
    finally:
        stranger.kill()
        stranger.wait()


def test_acquire_starts_though_the_pid_file_is_empty(short_tmp_path: Path) -> None:
    servers = EmbeddedServers(short_tmp_path)
    servers.acquire()
    servers.release()
    servers.postgres.pid_file.touch()
    servers.acquire()
    assert query(servers, "SELECT 1") == "1"
    servers.release()


def test_initialisation_that_was_killed_is_begun_anew(short_tmp_path: Path) -> None:
    half_done = short_tmp_path / "embedded" / "postgres.new-1234"
    half_done.mkdir(parents=True)
    (half_done / "PG_VERSION").write_text("18\n")
    servers = EmbeddedServers(short_tmp_path)
    servers.acquire()
    assert query(servers, "SELECT 1") == "1"
    assert not half_done.exists()
    servers.release()


def test_folder_that_only_root_can_enter_serves_unchanged(short_tmp_path: Path) -> None:
    closed = short_tmp_path / "closed"
    closed.mkdir(mode=0o700)
    before = {path: stat.filemode(path.stat().st_mode) for path in closed.parents} | {closed: "drwx------"}
    servers = EmbeddedServers(closed / "data")
    servers.acquire()
    assert query(servers, "SELECT 1") == "1"
    assert {path: stat.filemode(path.stat().st_mode) for path in before} == before
    servers.release()


@pytest.mark.parametrize("name", ["deep/" * 20, "a folder, of 'mine'"])
def test_sockets_lie_elsewhere_if_the_path_does_not_suit_them(short_tmp_path: Path, name: str) -> None:
    data_dir = short_tmp_path / name
    data_dir.mkdir(parents=True)
    servers = EmbeddedServers(data_dir)
    servers.acquire()
    socket_dir = servers.postgres.socket_dir
    assert not socket_dir.is_relative_to(data_dir)
    assert stat.filemode(socket_dir.stat().st_mode) == "drwx------"
    assert EmbeddedServers(data_dir).postgres.socket_dir == socket_dir
    assert query(servers, "SELECT 1") == "1"
    servers.release()
    socket_dir.rmdir()


def test_sockets_do_not_lie_in_a_folder_of_somebody_else(short_tmp_path: Path) -> None:
    data_dir = short_tmp_path / ("deep/" * 20)
    data_dir.mkdir(parents=True)
    first = EmbeddedServers(data_dir).postgres.socket_dir
    first.rmdir()
    first.symlink_to(short_tmp_path)
    second = EmbeddedServers(data_dir).postgres.socket_dir
    assert second != first
    first.unlink()
    second.rmdir()


def test_data_of_another_major_version_is_named_in_one_line(short_tmp_path: Path) -> None:
    servers = EmbeddedServers(short_tmp_path)
    servers.acquire()
    servers.release()
    (servers.folder / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(EmbeddedServerError) as raised:
        servers.acquire()
    assert str(raised.value).startswith(f"{servers.folder}/postgres was made by PostgreSQL 12 and this release has ")
    assert "\n" not in str(raised.value)


def test_folder_that_cannot_be_written_is_named_in_one_line() -> None:
    with pytest.raises(EmbeddedServerError) as raised:
        EmbeddedServers(Path("/dev/null/data")).acquire()
    assert str(raised.value) == (
        "the data folder /dev/null/data/embedded cannot be used: Not a directory "
        "(set DATA_DIR to a folder you can write)"
    )


def test_server_that_does_not_start_gives_its_reason_in_one_line(short_tmp_path: Path) -> None:
    servers = EmbeddedServers(short_tmp_path)
    servers.acquire()
    servers.release()
    with (servers.folder / "postgres" / "postgresql.auto.conf").open("a") as configuration:
        configuration.write("max_connections = many\n")
    with pytest.raises(EmbeddedServerError) as raised:
        servers.acquire()
    assert "PostgreSQL did not start: " in str(raised.value)
    assert "max_connections" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert running(short_tmp_path) == []


def test_ordinary_user_runs_the_servers_directly(short_tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    postgres = EmbeddedServers(short_tmp_path).postgres
    assert postgres.as_user(["/bin/postgres", "-D", "x"]) == ["/bin/postgres", "-D", "x"]


# manage.py with no URLs set


def manage(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=REPOSITORY,
        env={**environment, "DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_statements_of_hot_paths_stay_prepared_in_the_embedded_database(own_servers: EmbeddedServers) -> None:
    done = manage(own_servers.folder.parent, "shell", "--no-imports", "-c", (
        "from evcharging.db.prepared import run_prepared as run;"
        "run('SELECT 42');"
        "print([text for text, in run('SELECT statement FROM pg_prepared_statements')])"
    ))  # fmt: skip
    assert "'SELECT 42'" in done.stdout, done


COUNT = "from django.db import connection as c; k = c.cursor(); k.execute('SELECT 6 * 7'); print(k.fetchone())"


def test_command_that_needs_the_database_starts_and_stops_it(short_tmp_path: Path) -> None:
    result = manage(short_tmp_path, "shell", "--no-imports", "-c", COUNT)
    assert (result.returncode, result.stdout, result.stderr) == (0, "(42,)\n", "")
    assert running(short_tmp_path) == []


def test_command_reaches_the_running_system(own_servers: EmbeddedServers) -> None:
    pid = own_servers.postgres.running_pid()
    result = manage(own_servers.folder.parent, "shell", "--no-imports", "-c", COUNT)
    assert (result.returncode, result.stdout, result.stderr) == (0, "(42,)\n", "")
    assert own_servers.postgres.running_pid() == pid


def test_command_that_needs_no_database_starts_none(short_tmp_path: Path) -> None:
    assert manage(short_tmp_path, "check").returncode == 0
    assert not (short_tmp_path / "embedded" / "postgres").exists()


def test_terminated_command_stops_the_servers(short_tmp_path: Path) -> None:
    code = f"{COUNT}; import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert manage(short_tmp_path, "shell", "--no-imports", "-c", code).returncode == 128 + signal.SIGTERM
    assert running(short_tmp_path) == []
