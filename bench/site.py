"""Where a benchmark runs: a temporary folder with a PostgreSQL and a Valkey of its own, removed with all that runs."""

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import psycopg

from bench.proc import parent_of
from evcharging.embedded.servers import EmbeddedServers

REPOSITORY = Path(__file__).resolve().parent.parent
PREFIX = "evcharging-bench-"


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago, outside of those that connections are given."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def libpq_url(url: str) -> str:
    return url.replace("timescale://", "postgresql://", 1)


class Site:
    """The servers of one benchmark run. `timescale_url`, where given, names a database in which others may be made."""

    def __init__(self, timescale_url: str = "") -> None:
        _remove_leftovers()
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.folder.chmod(0o711)  # PostgreSQL, which is not root, must get in
        self.servers = EmbeddedServers(self.folder)
        self.timescale_url = timescale_url
        self._redis_number = self._database_number = 0
        self._on_timescale: list[str] = []
        self._template = ""

    def __enter__(self) -> Self:
        self.servers.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for name in self._on_timescale:
            with psycopg.connect(libpq_url(self.timescale_url), autocommit=True) as connection:
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")  # type: ignore[arg-type]
        self.servers.release()
        shutil.rmtree(self.folder, ignore_errors=True)

    def new_database(self, name: str, *, on_timescale: bool = False, template: str = "template1") -> str:
        """Create a database, its name made unique, and return its URL; `template` is for those of the site's own
        PostgreSQL."""
        self._database_number += 1
        name = f"{name}_{self._database_number}"
        if not on_timescale:
            url = self.servers.postgres_url("postgres")
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")  # type: ignore[arg-type]
            return self.servers.postgres_url(name)
        name = f"bench_{os.getpid()}_{name}"
        with psycopg.connect(libpq_url(self.timescale_url), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
        self._on_timescale.append(name)
        parts = urlsplit(self.timescale_url)
        return urlunsplit(parts._replace(path=f"/{name}"))

    def new_migrated_database(self, name: str, migrate: Callable[[str], None]) -> str:
        """Create a database that has our tables and return its URL; `migrate` is called with the first one's URL."""
        if not self._template:
            url = self.new_database("template")
            migrate(url)
            self._template = urlsplit(url).path[1:]
        return self.new_database(name, template=self._template)

    def new_redis_url(self) -> str:
        """Return the URL of a Valkey database that nobody has used yet."""
        self._redis_number += 1
        return self.servers.valkey.url(self._redis_number)

    @property
    def valkey_pid(self) -> int:
        return self.servers.valkey.running_pid()

    def restart_valkey(self) -> None:
        self.servers.valkey.stop()
        self.servers.valkey.ensure_started()

    def restart_postgres(self) -> None:
        self.servers.postgres.stop()
        self.servers.postgres.ensure_started()


def postmaster_pid(database_url: str) -> int:
    """Return the process id of the PostgreSQL behind a URL, 0 if it runs on no process that we can see."""
    with psycopg.connect(libpq_url(database_url)) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        return parent_of(row[0])


@contextmanager
def timescale() -> Iterator[tuple[str, str]]:
    """Yield the URL of a TimescaleDB, TIMESCALE_URL's or of one prepared here, or "" and why there is none."""
    given = os.environ.get("TIMESCALE_URL", "").strip()
    if given:
        yield given, ""
        return
    from scripts import timescale as prepared  # beside us in the clone, in no package

    try:
        root = prepared.prepare_root()
    except (SystemExit, OSError) as error:
        yield "", f"not available ({error})"
        return
    with prepared.running_server(root) as url:
        yield url, ""


def _remove_leftovers() -> None:
    """Stop and remove what a benchmark that was killed has left."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            if (folder / "embedded" / "users").exists() and EmbeddedServers(folder).stop_if_unused():
                shutil.rmtree(folder, ignore_errors=True)
        except OSError as error:
            print(f"{folder} is left: {error}", file=sys.stderr)
