"""/healthz and /readyz: what they answer, to whom, and what they do not demand."""

import json
import os
import signal
import time
from collections.abc import Callable

import pytest
from django.db import DatabaseError
from django.test import Client, override_settings

from evcharging.embedded.servers import EmbeddedServers
from evcharging.server import health
from tests.support.live_server import LiveServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "ready", lambda: True)


def answer(client: Client, path: str, **headers: str) -> tuple[int, str]:
    response = client.get(path, **headers)  # type: ignore[arg-type]
    return response.status_code, response.content.decode()


@pytest.fixture
def starting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "ready", lambda: False)


def test_healthz_is_ok_before_anything_is_ready(client: Client, starting: None) -> None:
    assert answer(client, "/healthz") == (200, "ok\n")


def test_readyz_is_503_until_migrations_are_applied(client: Client, starting: None) -> None:
    assert answer(client, "/readyz") == (503, '{"database": "starting", "migrations": "pending", "redis": "ok"}')


def test_readyz_is_ok_once_they_are(client: Client, started: None) -> None:
    assert answer(client, "/readyz") == (200, '{"database": "ok", "migrations": "applied", "redis": "ok"}')


def test_readyz_is_503_while_the_database_is_away(
    client: Client, started: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise DatabaseError

    monkeypatch.setattr(health.connection, "cursor", away)
    assert answer(client, "/readyz") == (503, '{"database": "away", "migrations": "applied", "redis": "ok"}')


def test_probes_take_any_host_over_plain_http(client: Client, started: None) -> None:
    with override_settings(ALLOWED_HOSTS=["charging.example"], SECURE_SSL_REDIRECT=True):
        assert answer(client, "/healthz", HTTP_HOST="10.0.0.7:9000")[0] == 200
        assert answer(client, "/readyz", HTTP_HOST="10.0.0.7:9000")[0] == 200
        assert answer(client, "/admin/", HTTP_HOST="10.0.0.7:9000")[0] == 400


def wait_for(server: LiveServer, states: dict[str, str]) -> int:
    deadline = time.monotonic() + 30
    while True:
        status, body = server.get("/readyz")
        if json.loads(body) == states:
            return status
        assert time.monotonic() < deadline, body
        time.sleep(0.05)


def test_server_outlives_its_database_and_redis(
    own_servers: EmbeddedServers, start_server: Callable[..., LiveServer]
) -> None:
    server = start_server(DATABASE_URL=own_servers.postgres_url(), REDIS_URL=own_servers.valkey.url())
    os.kill(own_servers.valkey.running_pid(), signal.SIGKILL)
    assert wait_for(server, {"database": "ok", "migrations": "applied", "redis": "away"}) == 200
    os.kill(own_servers.postgres.running_pid(), signal.SIGKILL)
    assert wait_for(server, {"database": "away", "migrations": "applied", "redis": "away"}) == 503
    assert server.get("/healthz") == (200, b"ok\n")
    own_servers.supervise()
    assert wait_for(server, {"database": "ok", "migrations": "applied", "redis": "ok"}) == 200
