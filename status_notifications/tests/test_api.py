"""Status notifications in the API."""

from datetime import timedelta

import pytest

from status_notifications.models import StatusNotification
from status_notifications.services.statuses import StatusMessage, record_statuses
from status_notifications.types import StatusReport
from tests.support.api import ROOT, Program, errors, queries_grow
from tests.support.factories import NOON, make_station, received

pytestmark = pytest.mark.django_db
DAY = {"since": "2026-03-01T00:00:00Z", "until": "2026-03-02T00:00:00Z"}


@pytest.fixture
def program() -> Program:
    return Program()


def report(station, minute: int, status: str = "Available", connector_id: int = 1) -> None:
    at = NOON + timedelta(minutes=minute)
    said = StatusReport(connector_id, status, "NoError", "", "", "", at)
    assert record_statuses(messages=[StatusMessage(received(station, at), said)]) == [True]


def test_statuses_of_a_station_latest_first(program):
    station = make_station("A")
    report(station, 0, "Available")
    report(station, 5, "Charging", 2)
    report(make_station("B"), 1)
    rows = program.get("status-notifications/", station="a")["results"]
    assert [(row["station"], row["status"], row["connector_id"], row["effective_at"]) for row in rows] == [
        ("A", "Charging", 2, "2026-03-01T12:05:00Z"), ("A", "Available", 1, "2026-03-01T12:00:00Z"),
    ]  # fmt: skip
    assert program.ids("status-notifications/", "status", station="a", status="Charging") == ["Charging"]
    assert program.ids("status-notifications/", "status", station="a", connector_id=1) == ["Available"]
    assert program.ids("status-notifications/", "status", station="a", until="2026-03-01T12:05:00Z") == ["Available"]
    assert program.ids("status-notifications/", "station", **DAY) == ["A", "B", "A"]


def test_status_is_any_word(program):
    report(make_station("A"), 0, "Occupied")
    assert program.ids("status-notifications/", "status", station="a") == ["Occupied"]


def refused(program: Program, parameters: dict[str, str]) -> dict:
    """`status` is a parameter here, so Program.get cannot be told the one of the answer."""
    response = program.client.get(ROOT + "status-notifications/", parameters)
    assert response.status_code == 400
    return response.json()


@pytest.mark.parametrize(
    ("parameters", "wrong"),
    [
        ({}, ["since", "until"]),
        ({"since": DAY["since"]}, ["until"]),
        ({"since": DAY["since"], "until": "2026-03-02T00:00:01Z"}, ["until"]),
        ({"station": "A", "status": "Broken"}, ["status"]),
    ],
)
def test_a_day_at_most_without_a_station(program, parameters, wrong):
    assert sorted(errors(refused(program, parameters))) == wrong


def test_pages_hold_every_status_once(program):
    station = make_station("A")
    for number in range(7):
        report(station, number // 3, connector_id=number)
    found = program.ids("status-notifications/", "connector_id", station="A", page_size=2)
    assert sorted(found) == list(range(7))
    assert StatusNotification.objects.count() == 7


def test_list_runs_as_many_queries_for_1_as_for_20(program):
    assert queries_grow(program, "status-notifications/", lambda n: report(make_station(), n), **DAY) == 0
