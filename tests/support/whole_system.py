"""A whole system as `make run` has it, to be broken piece by piece: the server, its PostgreSQL, its Valkey."""

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from evcharging.embedded.servers import EmbeddedServers
from tests.support.fault_points import connected
from tests.support.live_server import LiveServer
from tests.support.stored_sessions import add_id_tag

TABLES = """
    SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables
    WHERE schemaname = 'public' AND tablename NOT LIKE 'auth%' AND tablename NOT LIKE 'django%'
"""


class WholeSystem(LiveServer):
    """A server with the embedded PostgreSQL and Valkey that it starts and supervises itself."""

    def __init__(self, data_dir: Path, **env: str) -> None:
        super().__init__(data_dir=data_dir, env={"DATABASE_URL": "", "REDIS_URL": "", "OCPP_ENROLMENT": "open", **env})
        self.embedded = EmbeddedServers(data_dir)
        self._usual = self.env

    @property
    def database_url(self) -> str:
        return self.embedded.postgres_url()

    def query(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with connected(self.database_url) as connection:
            cursor = connection.execute(sql, parameters or None)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def start_with(self, **env: str) -> Self:
        """Have the server run with these variables beside its usual ones, on an empty database with one tag."""
        wanted = {**self._usual, **env}
        if self.process is None or self.env != wanted:
            self.kill()
            self.env = wanted
            self.start()
        self.query(f"TRUNCATE {self.query(TABLES)[0][0]}")
        add_id_tag(self, "TAG")
        return self

    def kill_postgres(self) -> None:
        """kill -9 the postmaster, whom the server starts again."""
        os.kill(self.embedded.postgres.running_pid(), signal.SIGKILL)

    def kill_valkey(self) -> None:
        """kill -9 Valkey, which the server starts again, empty."""
        os.kill(self.embedded.valkey.running_pid(), signal.SIGKILL)

    @contextmanager
    def without_postgres(self) -> Iterator[None]:
        """Shut PostgreSQL down, and hold the lock that orders starts: nobody starts it again before the end."""
        with (self.embedded.folder / "lock").open("rb+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.embedded.postgres.stop()
            yield

    def clean_up(self) -> None:
        """Stop everything, whoever was killed before."""
        self.__exit__()
        assert self.embedded.stop_if_unused()


def family(pid: int) -> list[int]:
    """Return a process and its children."""
    children = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(status.rpartition(")")[2].split()[1]) == pid:
                children.append(int(entry.name))
    return [pid, *children]


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Freeze a process and its children: their sockets stay open and nobody answers."""
    os.kill(pid, signal.SIGSTOP)  # first the parent, who then starts no more children
    pids = family(pid)
    for each in pids[1:]:
        os.kill(each, signal.SIGSTOP)
    time.sleep(0.05)
    try:
        yield
    finally:
        for each in reversed(pids):
            os.kill(each, signal.SIGCONT)
