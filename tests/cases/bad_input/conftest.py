"""Around each test another station is served at once; at the end the server lives and has logged no error."""

from collections.abc import Iterator

import pytest

from tests.support.bad_input import assert_serves
from tests.support.charger import Charger
from tests.support.factories import make_station
from tests.support.live_server import LiveServer


@pytest.fixture(scope="module")
def bystander(server: LiveServer, orm: None) -> Iterator[Charger]:
    """A station that does nothing wrong."""
    with Charger(server.url, make_station("BYSTANDER").identity) as charger:
        yield charger
        assert [event for event in server.events() if event["level"] in ("ERROR", "CRITICAL")] == []


@pytest.fixture(autouse=True)
def _others_are_served(bystander: Charger) -> Iterator[None]:
    yield
    assert_serves(bystander)
