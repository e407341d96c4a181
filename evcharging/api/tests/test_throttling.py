"""How often one may ask, with Redis, and without it."""

import socket
import time

import pytest
from django.conf import settings
from django.test import Client, override_settings

from evcharging.api import throttling
from evcharging.redis_breaker import OPEN_S, RedisBreaker
from tests.support.api import ROOT, Program
from tests.support.live_server import free_port

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _one_minute(monkeypatch) -> None:
    """Count in one window, whatever the clock of the test does; a pause of another test is over."""
    monkeypatch.setattr(throttling, "WINDOW_S", 100_000_000)
    monkeypatch.setattr(throttling, "_breaker", RedisBreaker())


def statuses(program: Program, times: int) -> list[int]:
    return [program.client.get(ROOT + "id-tags/").status_code for _ in range(times)]


@override_settings(API_THROTTLE=3)
def test_each_token_has_so_many_requests():
    first, second = Program(), Program()
    assert statuses(first, 5) == [200, 200, 200, 429, 429]
    assert statuses(second, 1) == [200]
    response = first.client.get(ROOT + "id-tags/")
    assert (response["Content-Type"], response.json()["status"]) == ("application/problem+json", 429)
    assert 1 <= int(response["Retry-After"]) <= throttling.WINDOW_S


@override_settings(API_THROTTLE=0)
def test_zero_is_any_number():
    assert set(statuses(Program(), 20)) == {200}


def test_wrong_tokens_are_counted_by_their_address_and_right_ones_pass():
    client = Client(headers={"Authorization": "Bearer evc_" + "A" * 43})
    answers = [client.get(ROOT + "id-tags/") for _ in range(throttling.FAILURES_PER_WINDOW + 2)]
    assert [answer.status_code for answer in answers] == [401] * throttling.FAILURES_PER_WINDOW + [429] * 2
    assert int(answers[-1]["Retry-After"]) >= 1
    assert client.get(ROOT + "id-tags/", REMOTE_ADDR="192.0.2.7").status_code == 401
    assert statuses(Program(), 1) == [200]


def test_window_ends(monkeypatch):
    monkeypatch.setattr(throttling, "WINDOW_S", 1)
    while time.time() % 1 > 0.3:
        time.sleep(0.05)
    with override_settings(API_THROTTLE=1):
        program = Program()
        assert statuses(program, 2) == [200, 429]
        time.sleep(1)
        assert statuses(program, 1) == [200]


def elsewhere(port: int) -> override_settings:
    default = {**settings.CACHES["default"], "LOCATION": f"redis://127.0.0.1:{port}/0"}
    return override_settings(API_THROTTLE=1, CACHES={"default": default})


def test_without_redis_nobody_is_throttled():
    with elsewhere(free_port()):
        program = Program()
        assert statuses(program, 5) == [200] * 5
        assert program.get("stations/")["results"] == []
        bad = Client(headers={"Authorization": "Bearer nonsense"})
        assert {bad.get(ROOT + "stations/").status_code for _ in range(40)} == {401}


def test_redis_that_hangs_costs_one_time_out():
    with socket.create_server(("127.0.0.1", 0)) as silent, elsewhere(silent.getsockname()[1]):
        program = Program()
        began = time.monotonic()
        assert statuses(program, 10) == [200] * 10
        assert time.monotonic() - began < OPEN_S + 1
