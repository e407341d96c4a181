"""Statuses that are years apart: a hypertable is read in windows of time, and every row is found once, in order."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from evcharging.db.time_windows import has_rows
from stations.models import Station
from status_notifications.models import StatusNotification
from status_notifications.selectors import latest_statuses
from status_notifications.services.statuses import StatusMessage, record_statuses
from status_notifications.types import StatusReport
from tests.support.api import Program
from tests.support.factories import make_station, received

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

NOW = timezone.now().replace(microsecond=0)
AGES = [0, 3, 40, 41, 400, 1200]
TIMES = [NOW - timedelta(days=days) for days in AGES]


@pytest.fixture
def program() -> Program:
    """A program; station A has a status of each age, on two connectors in turn, and B a newer one."""
    station = make_station("A")
    for number, at in enumerate(TIMES):
        report(station, at, 1 + number % 2)
    report(make_station("B"), NOW + timedelta(seconds=1))
    return Program()


def report(station, at: datetime, connector_id: int = 1) -> None:
    said = StatusReport(connector_id, "Available", "NoError", "", "", "", at)
    assert record_statuses(messages=[StatusMessage(received(station, at), said)]) == [True]


def ages(program: Program, **parameters) -> list[int]:
    found, cursor = [], {}
    while True:
        rows = program.get("status-notifications/", station="A", page_size=2, **parameters, **cursor)
        found += [(NOW - datetime.fromisoformat(row["effective_at"])).days for row in rows["results"]]
        if rows["next"] is None:
            return found
        cursor = {"cursor": rows["next"].partition("cursor=")[2].partition("&")[0].replace("%3A", ":")}


@pytest.mark.parametrize("limit", range(1, 8))
def test_latest_are_found_in_order(program, limit):
    station = Station.objects.get(identity="A")
    found = latest_statuses(station_id=station.pk, limit=limit, now=NOW)
    assert [row.effective_at for row in found] == TIMES[:limit]


def test_pages_both_ways_and_within_bounds(program):
    assert ages(program) == AGES
    assert ages(program, ordering="effective_at") == AGES[::-1]
    since, until = TIMES[4].isoformat(), TIMES[1].isoformat()
    assert ages(program, since=since) == AGES[:5]
    assert ages(program, until=until) == AGES[2:]
    assert ages(program, since=since, until=until, ordering="effective_at") == AGES[4:1:-1]
    assert ages(program, until="0001-01-02T00:00:00Z") == []
    assert ages(program, since="9999-12-31T00:00:00Z") == []


def test_rows_are_told_from_none_however_old(program):
    old = StatusNotification.objects.filter(effective_at=TIMES[-1])
    assert has_rows(old)
    assert not has_rows(old.filter(station_id=0))
