"""Paths as they are sent over a socket: names hold slashes and percents, and what is no path is a problem."""

import http.client
import json
from collections.abc import Callable

from django.utils import timezone
from pytest_django import DjangoDbBlocker

from evcharging.api.services import create_api_token
from tests.support.factories import make_station
from tests.support.live_server import LiveServer

NAMES = {"a%2Fb": "a/b", "a%252Fb": "a%2Fb", "100%25": "100%", "%C3%84": "Ä", "%3Fx": "?x", "a+b": "a+b"}
BROKEN = ("%", "%2", "%zz", "a%00b", "%FF", "%ED%A0%80", "%C0%AF", "%u0041")


def test_paths_are_taken_as_they_are_sent(
    start_server: Callable[..., LiveServer], django_db_blocker: DjangoDbBlocker
) -> None:
    server = start_server()
    with django_db_blocker.unblock(), server.orm():
        _, token = create_api_token(name="x", scopes=["read"], created_by="x", expires_at=None, now=timezone.now())
        for identity in NAMES.values():
            make_station(identity)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)

    def get(segment: str) -> tuple[int, dict]:
        connection.request("GET", f"/api/v1/stations/{segment}/", headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    try:
        assert {segment: get(segment)[1].get("identity") for segment in NAMES} == NAMES
        assert {segment: get(segment)[0] for segment in BROKEN} == dict.fromkeys(BROKEN, 400)
        assert get("%zz")[1]["instance"] == "/api/v1/stations/%zz/"
        assert get("a/b")[0] == 404
    finally:
        connection.close()
