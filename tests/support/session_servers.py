"""pytest plugin: one PostgreSQL and one Valkey per session, in a temporary folder, shared by xdist's workers.

Loaded by `-p` before Django's settings are read, because it sets the environment that they read. TEST_DATABASE_URL
(set by `make test-timescale`) takes the place of the PostgreSQL.
"""

import atexit
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from evcharging.embedded.servers import EmbeddedServers
from tests.support.live_server import libpq_url

_PREFIX = "evcharging-test-"
_FOLDER = "EVCHARGING_TEST_DATA_DIR"  # from the session's first process to xdist's workers
_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")

if not _WORKER:
    os.environ[_FOLDER] = tempfile.mkdtemp(prefix=_PREFIX)
    atexit.register(shutil.rmtree, os.environ[_FOLDER], ignore_errors=True)
    os.chmod(os.environ[_FOLDER], 0o711)  # PostgreSQL, which is not root, must get in
DATA_DIR = Path(os.environ[_FOLDER])

_given_database = os.environ.get("TEST_DATABASE_URL", "")
servers = EmbeddedServers(DATA_DIR, postgres=not _given_database)

#: Each worker's Valkey databases, the first for the tests' own process, the others for the servers they start;
#: the sessions of several pytest runs have servers of their own.
_WORKER_NUMBER = int(_WORKER.removeprefix("gw") or 0) % 8
REDIS_DATABASES = range(8 * _WORKER_NUMBER, 8 * _WORKER_NUMBER + 8)

# The tests run with default settings, whatever the caller's environment says.
for _name in (
    "PORT",
    "BIND",
    "PROCESSES",
    "DRAIN_PER_S",
    "DEBUG",
    "SECRET_KEY",
    "ALLOWED_HOSTS",
    "BEHIND_TLS_PROXY",
    "OCPP_ENROLMENT",
    "LOG_LEVEL",
):
    os.environ.pop(_name, None)
os.environ.update(
    DATA_DIR=str(DATA_DIR),
    DATABASE_URL=_given_database or servers.postgres_url(),
    REDIS_URL=servers.valkey.url(REDIS_DATABASES[0]),
    LOG_FORMAT="text",
)

_unmeasured = 0


def pytest_sessionstart(session: pytest.Session) -> None:
    if not _WORKER:
        _stop_leftovers()
    servers.acquire()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    servers.release()


def _stop_leftovers() -> None:
    """Stop the servers of sessions that were killed: nobody else would."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(FileNotFoundError):  # another session that ends removes its folder meanwhile
            if folder.owner() != DATA_DIR.owner():
                continue
            if (folder / "embedded" / "users").exists():
                unused = EmbeddedServers(folder).stop_if_unused()
            else:
                unused = folder.stat().st_mtime < time.time() - 600  # or its session is only just starting
            if unused:
                shutil.rmtree(folder, ignore_errors=True)


def _timescale_edition() -> str:
    """Return "", "apache" or "timescale" (the Community edition)."""
    if not os.environ["DATABASE_URL"].startswith("timescale://"):
        return ""
    with psycopg.connect(libpq_url(os.environ["DATABASE_URL"])) as connection:
        # The setting is there only where the extension is; what creates it here is never committed.
        connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
        edition = connection.execute("SELECT current_setting('timescaledb.license')").fetchone()
        connection.rollback()
        return str(edition[0])  # type: ignore[index]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the database at hand cannot run: that is a matter of where, so nothing is skipped."""
    global _unmeasured
    edition = _timescale_edition()
    missing = {"": {"timescale", "timescale_community"}, "apache": {"timescale_community"}}.get(edition, set())
    left_out = [item for item in items if any(marker.name in missing for marker in item.iter_markers())]
    if edition:
        _unmeasured = len(left_out)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _unmeasured:
        terminalreporter.write_line(
            f"{_unmeasured} tests need TimescaleDB's Community edition and were not measured: "
            "this is the Apache edition, and TIMESCALE_URL names no other"
        )
