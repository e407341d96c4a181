"""A real `manage.py serve` in a process of its own, for tests that connect to sockets and kill things."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import psycopg
from django.db import connections

REPOSITORY = Path(__file__).resolve().parents[2]
START_S = 60.0


class LiveServer:
    """`manage.py serve` on a free port of 127.0.0.1; start() again after kill() or terminate() takes the same port.

    Its log (JSON lines and what it says to people) is appended to `log`. Two servers on one database are two of these.
    """

    def __init__(self, *, data_dir: Path, env: Mapping[str, str] | None = None, port: int | None = None) -> None:
        self.data_dir = data_dir
        self.port = port or free_port()
        self.env = {
            "DATA_DIR": str(data_dir),
            "PORT": str(self.port),
            "LOG_FORMAT": "json",
            "OCPP_READ_CONFIGURATION": "0",  # tests say themselves what their chargers are asked
            **(env or {}),
        }
        self.log = data_dir / f"serve-{self.port}.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where chargers connect; append an identity."""
        return f"ws://127.0.0.1:{self.port}/ocpp/"

    @property
    def http(self) -> str:
        """Where staff connect, without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def arguments(self) -> list[str]:
        """Return what is run, after the interpreter."""
        return ["manage.py", "serve"]

    # Life

    def start(self, *, wait: bool = True) -> Self:
        """Start the process and, unless told not to, wait until it is ready."""
        assert self.process is None
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.arguments()],
                cwd=REPOSITORY,
                env={**os.environ, **self.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, timeout_s: float = START_S) -> None:
        """Wait for /readyz; a process that ends instead fails with its log."""
        deadline = time.monotonic() + timeout_s
        while self.status("/readyz") != 200:
            assert self.process is not None
            assert self.process.poll() is None, f"serve ended with {self.process.returncode}:\n{self.text()}"
            assert time.monotonic() < deadline, f"serve is not ready after {timeout_s} s:\n{self.text()}"
            time.sleep(0.05)

    def kill(self) -> None:
        """kill -9, and wait until the kernel has closed its sockets."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def terminate(self, timeout_s: float = 60) -> int:
        """SIGTERM, and return the exit code when all is down."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout_s)
        self.process = None
        return code

    def restart(self) -> None:
        """kill -9 and start again on the same port."""
        self.kill()
        self.start()

    def __enter__(self) -> Self:
        return self.start() if self.process is None else self

    def __exit__(self, *error: object) -> None:
        if self.process is not None:
            self.terminate() if self.process.poll() is None else self.kill()

    # What it says

    def status(self, path: str) -> int:
        """Return the HTTP status of a GET, or 0 if nobody listens."""
        return self.get(path)[0]

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body of a GET; status 0 if nobody listens."""
        try:
            with urllib.request.urlopen(self.http + path, timeout=10) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except OSError:
            return 0, b""

    def text(self) -> str:
        """Return everything it has written so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def events(self) -> list[dict[str, Any]]:
        """Return its log lines that are JSON, in order."""
        return [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]

    # Its database

    def query(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a statement on the server's own database."""
        with psycopg.connect(libpq_url(self.env["DATABASE_URL"]), autocommit=True) as connection:
            cursor = connection.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def orm(self) -> Iterator[None]:
        """Point this process's ORM at the server's database.

        For tests without the `db` fixture, which use the database directly (fixture django_db_blocker.unblock()).
        """
        connection = connections["default"]
        name = connection.settings_dict["NAME"]
        connection.close()
        connection.settings_dict["NAME"] = libpq_url(self.env["DATABASE_URL"]).partition("?")[0].rpartition("/")[2]
        try:
            yield
        finally:
            connection.close()
            connection.settings_dict["NAME"] = name


def libpq_url(url: str) -> str:
    """Return DATABASE_URL as libpq takes it."""
    return url.replace("timescale://", "postgresql://", 1)


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
