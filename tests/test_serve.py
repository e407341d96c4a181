"""manage.py serve: the port first, then the database, and an orderly end."""

from collections.abc import Callable

from tests.live_server import LiveServer


def test_server_answers_both_probes(server: LiveServer) -> None:
    assert server.get("/healthz") == (200, b"ok\n")
    assert server.get("/readyz") == (200, b'{"database": "ok", "migrations": "applied", "redis": "ok"}')


def test_two_servers_share_one_database(start_server: Callable[..., LiveServer]) -> None:
    first, second = start_server(), start_server()
    assert first.query("SELECT count(*) FROM auth_user") == second.query("SELECT count(*) FROM auth_user") == [(1,)]


def test_terminate_exits_with_zero_when_all_is_down(server: LiveServer) -> None:
    assert server.terminate() == 0
    assert server.status("/healthz") == 0


def test_killed_server_starts_again_on_the_same_port(server: LiveServer) -> None:
    server.restart()
    assert server.status("/readyz") == 200
