"""One running server per module, and stations, tags and chargers of each test's own on it."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from pytest_django import DjangoDbBlocker

from id_tags.models import IdTag
from stations.models import Station
from tests.support.charger import Charger
from tests.support.factories import make_id_tag, make_station
from tests.support.live_server import LiveServer, libpq_url
from tests.support.raw import upgraded
from tests.support.raw_client import Client

Start = Callable[..., LiveServer]


@contextmanager
def _database(template: str) -> Iterator[str]:
    """The URL of a fresh migrated database in the session's PostgreSQL."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    name = f"cases_{secrets.token_hex(4)}"
    with psycopg.connect(libpq_url(parts._replace(path="/postgres").geturl()), autocommit=True) as maintenance:
        maintenance.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        try:
            yield parts._replace(path=f"/{name}").geturl()
        finally:
            maintenance.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def start_module_server(_template_database: str) -> Iterator[Start]:
    """Start a server on a database of its own, for the whole module; it must live until the module ends.

    It shares the tests' own Redis, so that services called in a test reach its cache and its channel layer.
    """
    with ExitStack() as stack:

        def start(**env: Any) -> LiveServer:
            folder = Path(tempfile.mkdtemp(prefix="evc-"))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            folder.chmod(0o711)
            environment = {name: str(value) for name, value in env.items()}
            environment["DATABASE_URL"] = stack.enter_context(_database(_template_database))
            environment["REDIS_URL"] = os.environ["REDIS_URL"]
            server = stack.enter_context(LiveServer(data_dir=folder, env=environment))
            stack.callback(_assert_lives, server)
            return server

        yield start


def _assert_lives(server: LiveServer) -> None:
    assert server.status("/healthz") == 200, server.text()


@pytest.fixture(scope="module")
def server_settings() -> dict[str, Any]:
    """Environment of the module's server; a module overrides it."""
    return {}


@pytest.fixture(scope="module")
def server(start_module_server: Start, server_settings: dict[str, Any]) -> LiveServer:
    """The module's server."""
    return start_module_server(**server_settings)


@pytest.fixture(scope="module")
def orm(server: LiveServer, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The ORM of this process looks at the server's database."""
    with django_db_blocker.unblock(), server.orm():
        yield


@pytest.fixture
def station(orm: None) -> Station:
    """An accepted station of the test's own."""
    return make_station()


@pytest.fixture
def other_station(orm: None) -> Station:
    """Another accepted station."""
    return make_station()


@pytest.fixture
def tag(orm: None) -> IdTag:
    """An accepted tag of the test's own."""
    return make_id_tag()


@pytest.fixture
def plug(server: LiveServer) -> Iterator[Callable[..., Charger]]:
    """Connect a charger: plug(station_or_identity, **options of Charger); closed after the test."""
    with ExitStack() as stack:

        def connect(who: Station | str, **options: Any) -> Charger:
            identity = who if isinstance(who, str) else who.identity
            return stack.enter_context(Charger(server.url, identity, **options))

        yield connect


@pytest.fixture
def charger(plug: Callable[..., Charger], station: Station) -> Charger:
    """The charger of `station`, connected."""
    return plug(station)


@pytest.fixture
def raw(server: LiveServer, station: Station) -> Iterator[Client]:
    """The charger of `station`, connected, and able to break every rule of RFC 6455."""
    with upgraded(server, station.identity) as client:
        yield client
