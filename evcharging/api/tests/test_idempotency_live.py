"""One Idempotency-Key from many connections at once: the request acts once."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

from django.utils import timezone
from pytest_django import DjangoDbBlocker

from evcharging.api.services import create_api_token
from tests.support.live_server import LiveServer

SENDERS, TAGS = 8, 5


def test_same_key_at_the_same_time_acts_once(
    start_server: Callable[..., LiveServer], django_db_blocker: DjangoDbBlocker
) -> None:
    server = start_server()
    with django_db_blocker.unblock(), server.orm():
        _, token = create_api_token(name="x", scopes=["manage"], created_by="x", expires_at=None, now=timezone.now())

    def post(number: int) -> tuple[int, str | None]:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
        key = f"k{number // SENDERS}"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Idempotency-Key": key}
        body = json.dumps({"id_tag": f"T{number // SENDERS}"})
        try:
            connection.request("POST", "/api/v1/id-tags/", body, headers)
            response = connection.getresponse()
            response.read()
            return response.status, response.headers["Idempotent-Replayed"]
        finally:
            connection.close()

    with ThreadPoolExecutor(SENDERS) as pool:
        answers = list(pool.map(post, range(SENDERS * TAGS)))
    for tag in range(TAGS):
        of_tag = answers[SENDERS * tag : SENDERS * (tag + 1)]
        assert of_tag.count((201, None)) == 1
        assert set(of_tag) <= {(201, None), (201, "true"), (409, None)}
    assert server.query("SELECT id_tag FROM id_tags_idtag ORDER BY id_tag") == [(f"T{tag}",) for tag in range(TAGS)]
    assert post(0) == (201, "true")
