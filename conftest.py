"""Fixtures for every test; the servers behind them are tests/support/session_servers.py's."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import redis
from django.contrib.auth.hashers import PBKDF2PasswordHasher

from evcharging.embedded.servers import EmbeddedServers
from tests.support.live_server import REPOSITORY, LiveServer, libpq_url
from tests.support.session_servers import REDIS_DATABASES, servers

_live_redis_databases = count(0)


@pytest.fixture(scope="session", autouse=True)
def _quick_password_hashes() -> None:
    """Accounts of staff are made in every test of a page; a real server reads the short hashes too."""
    PBKDF2PasswordHasher.iterations = 1


@pytest.fixture(scope="session")
def _redis() -> Iterator[redis.Redis]:
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        yield client


@pytest.fixture(autouse=True)
def _empty_redis(_redis: redis.Redis) -> Iterator[None]:
    """What a test leaves in Redis is not there for the next."""
    yield
    _redis.flushdb()


@pytest.fixture
def short_tmp_path() -> Iterator[Path]:
    """A temporary folder for a DATA_DIR: pytest's own is too deep for a socket, and closed to PostgreSQL's user."""
    path = Path(tempfile.mkdtemp(prefix="evc-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def own_servers(short_tmp_path: Path) -> Iterator[EmbeddedServers]:
    """A running PostgreSQL and Valkey of the test's own, to be killed or stopped at will."""
    own = EmbeddedServers(short_tmp_path)
    own.acquire()
    yield own
    own.release()


# Servers of the test's own (`manage.py serve`), on a database of its own in the session's PostgreSQL


def _database_url(name: str) -> str:
    parts = urlsplit(os.environ["DATABASE_URL"])
    return f"{parts.scheme}://{parts.netloc}/{name}" + (f"?{parts.query}" if parts.query else "")


def _maintain(statement: str) -> None:
    with psycopg.connect(libpq_url(_database_url("postgres")), autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture(scope="session")
def _template_database() -> Iterator[str]:
    """A migrated database to copy; "" on TimescaleDB, whose workers sit in every database, where each is migrated."""
    if os.environ["DATABASE_URL"].startswith("timescale://"):
        yield ""
        return
    name = f"live_template_{secrets.token_hex(4)}"
    _maintain(f"CREATE DATABASE {name}")
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity=0"],
        cwd=REPOSITORY,
        env={**os.environ, "DATABASE_URL": _database_url(name)},
        check=True,
    )
    yield name
    _maintain(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def live_environment(_template_database: str) -> Iterator[dict[str, str]]:
    """DATABASE_URL and REDIS_URL of a fresh migrated database and an empty Valkey database; servers can share them."""
    name = f"live_{secrets.token_hex(4)}"
    _maintain(f"CREATE DATABASE {name}" + (f" TEMPLATE {_template_database}" if _template_database else ""))
    number = REDIS_DATABASES[1 + next(_live_redis_databases) % (len(REDIS_DATABASES) - 1)]
    redis_url = servers.valkey.url(number)
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    yield {"DATABASE_URL": _database_url(name), "REDIS_URL": redis_url}
    _maintain(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def start_server(live_environment: dict[str, str], short_tmp_path: Path) -> Iterator[Callable[..., LiveServer]]:
    """Start `manage.py serve`, any number of them on one database; stopped after the test.

    start_server(OCPP_ENROLMENT="open") sets environment variables; start_server(wait=False) does not wait for it.
    """
    started: list[LiveServer] = []

    def start(*, wait: bool = True, **env: Any) -> LiveServer:
        server = LiveServer(
            data_dir=short_tmp_path,
            env={**live_environment, **{name: str(value) for name, value in env.items()}},
        )
        started.append(server)
        return server.start(wait=wait)

    yield start
    for server in started:
        server.__exit__()


@pytest.fixture
def server(start_server: Callable[..., LiveServer]) -> LiveServer:
    """One running `manage.py serve` with default settings."""
    return start_server()
