"""The servers that are measured, each a process of its own on a free port, started and stopped here."""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit
from urllib.request import urlopen

import psycopg

from bench.compare import differences
from bench.messages import Facts
from bench.site import REPOSITORY, Site, free_port, libpq_url, postmaster_pid

START_S = 90.0
STOP_S = 60.0
#: What the caller's environment says must not reach the servers.
_NOT_PASSED_ON = ("DATABASE_URL", "REDIS_URL", "DATA_DIR", "PORT", "BIND", "DJANGO_SETTINGS_MODULE", "PROCESSES",
                  "LOG_LEVEL", "DEBUG", "BEHIND_TLS_PROXY", "TEST_DATABASE_URL")  # fmt: skip


class NotAvailable(Exception):
    """This system cannot be measured here; the message says why."""


@dataclass
class System:
    """A server program: how it is started, and where what it stores can be read ("" for nowhere)."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    probe: str = ""
    tables: str = ""
    database_url: str = ""
    port: int = field(default_factory=free_port)
    valkey_pid: int = 0
    log: str = os.devnull

    def __enter__(self) -> Self:
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                [word.replace("{port}", str(self.port)) for word in self.command],
                cwd=REPOSITORY,
                env=self.full_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.postgres_pid = 0
        try:
            self._wait_until_ready()
            if self.database_url:
                self.postgres_pid = postmaster_pid(self.database_url)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    @property
    def pids(self) -> dict[str, int]:
        """The processes whose work is this system's, by part."""
        parts = {"server": self._process.pid, "postgres": self.postgres_pid, "valkey": self.valkey_pid}
        return {name: pid for name, pid in parts.items() if pid}

    def differences(self, facts: list[Facts], prefix: str, *, lost_connections: bool = False) -> list[str]:
        """Return where the database differs from what was acknowledged; nothing for a system that stores nothing."""
        if not self.tables:
            return []
        return differences(
            facts,
            database_url=self.database_url,
            tables=self.tables,
            prefix=prefix,
            lost_connections=lost_connections,
        )

    def settle(self) -> None:
        """Do what autovacuum does within a minute: until then PostgreSQL plans for empty tables, and then it works
        beside whatever is measured at the time."""
        if self.database_url:
            with psycopg.connect(libpq_url(self.database_url), autocommit=True) as connection:
                connection.execute("VACUUM (ANALYZE)")

    def import_id_tags(self, identities: list[str]) -> None:
        """Make each identity an accepted tag too: a charger's script presents its own name."""
        if self.tables == "ours":
            self.manage("import_id_tags", ["id_tag", *identities])

    def import_stations(self, identities: list[str]) -> None:
        if self.tables == "ours":
            self.manage("import_stations", ["identity", *identities])

    def manage(self, command: str, lines: list[str]) -> None:
        """Run a command of manage.py on a file of these lines."""
        path = f"{self.environment['DATA_DIR']}.{command}.csv"
        with open(path, "w") as file:
            file.write("\n".join(lines) + "\n")
        subprocess.run(
            [sys.executable, "manage.py", command, path],
            cwd=REPOSITORY,
            env=self.full_environment(),
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def text(self) -> str:
        """Return the end of the server's log."""
        with open(self.log, errors="replace") as log:
            return log.read()[-2000:]

    def full_environment(self) -> dict[str, str]:
        """Return the environment of the server, for what runs beside it."""
        kept = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON}
        return {**kept, **self.environment, "PORT": str(self.port)}

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_S
        while not self._is_ready():
            if self._process.poll() is not None:
                raise NotAvailable(f"{self.name} ended with {self._process.returncode}; its log: {self.text()}")
            if time.monotonic() > deadline:
                raise NotAvailable(f"{self.name} is not ready after {START_S:.0f} s; its log: {self.text()}")
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        try:
            if not self.probe:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
                return True
            with urlopen(f"http://127.0.0.1:{self.port}{self.probe}", timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            return False


def echo(server: str, *, validating: bool = False) -> System:
    """An echo application on a server program of `bench.apps.echo.SERVERS`."""
    options = ["--validating"] if validating else []
    return System(
        f"{'validating' if validating else 'raw'} echo, {server}",
        [sys.executable, "-m", "bench.apps.echo", "--server", server, "--port", "{port}", *options],
    )


def obvious(site: Site) -> System:
    """The baseline, on a database of its own in the site's PostgreSQL."""
    url = site.new_database("obvious")
    postgres = site.servers.postgres
    return System(
        "obvious, daphne",
        [sys.executable, "-m", "bench.apps.obvious", "--port", "{port}"],
        {
            "DATA_DIR": str(site.folder / "obvious"),
            "DATABASE_NAME": urlsplit(url).path[1:],
            "DATABASE_HOST": str(postgres.socket_dir),
            "DATABASE_PASSWORD": postgres.password,
        },
        tables="obvious",
        database_url=url,
        log=str(site.folder / "obvious.log"),
    )


def ours(
    site: Site,
    *,
    server: str = "daphne",
    processes: int = 1,
    on_timescale: bool = False,
    reads_configuration: bool = False,
) -> System:
    """What this project serves with, as it is shipped.

    :param reads_configuration: of stations that are new to it, which goes on in the background for minutes.

    :raises NotAvailable: `manage.py serve` has no --processes.
    """
    words = [server, f"{processes} processes" if processes > 1 else "", "timescale" if on_timescale else ""]
    name = "_".join(word for word in ["ours", *words] if word).replace(" ", "_")
    command = [sys.executable, "manage.py", "serve"]
    if server == "uvicorn":
        command = [sys.executable, "-m", "uvicorn", "evcharging.asgi:application", "--port", "{port}"]
        command += ["--backlog", "4096", "--log-level", "warning", "--no-access-log"]
    elif processes > 1:
        _require_option("--processes")
        command += ["--processes", str(processes)]
    # Each TimescaleDB database has workers of its own and cannot be copied: the server migrates it.
    url = site.new_database(name, on_timescale=True) if on_timescale else site.new_migrated_database(name, _migrate)
    return System(
        ", ".join(word for word in ["ours", *words] if word),
        command,
        {
            "DATA_DIR": str(site.folder / name),
            "DATABASE_URL": url,
            "REDIS_URL": site.new_redis_url(),
            "OCPP_ENROLMENT": "open",
            "OCPP_READ_CONFIGURATION": "1" if reads_configuration else "0",
            "LOG_FORMAT": "json",
        },
        probe="/readyz",
        tables="ours",
        database_url=url,
        valkey_pid=site.valkey_pid,
        log=str(site.folder / f"{name}.log"),
    )


def _migrate(url: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity=0"],
        cwd=REPOSITORY,
        env={**os.environ, "DATABASE_URL": url, "SECRET_KEY": "of no use"},
        check=True,
    )


def _require_option(option: str) -> None:
    result = subprocess.run(
        [sys.executable, "manage.py", "serve", "--help"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    if option not in result.stdout:
        raise NotAvailable(f"manage.py serve has no {option} yet")
