"""Status history in the back office: a list without a count, and a station's latest."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from stations.models import Station
from status_notifications.models import StatusNotification
from status_notifications.services.statuses import StatusMessage, record_statuses
from status_notifications.types import StatusReport
from tests.support.back_office import page, queries_grow, staff, table_rows
from tests.support.factories import make_station, received

pytestmark = pytest.mark.django_db
LIST = "/admin/status_notifications/statusnotification/"


def report(station: Station, status: str = "Available", at: datetime | None = None, **fields) -> None:
    """Store a status as the station's current connection reports it."""
    at = at or timezone.now()
    values = {
        "connector_id": 1,
        "status": status,
        "error_code": "NoError",
        "info": "",
        "vendor_id": "",
        "vendor_error_code": "",
        "reported_at": at,
    } | fields
    record_statuses(messages=[StatusMessage(received(station, at), StatusReport(**values))])


def shown(text: str) -> list[tuple[str, str, str]]:
    return [(cells[1], cells[2], cells[3]) for cells in table_rows(text)]


def test_changelist_runs_as_many_queries_for_2_rows_as_for_20(admin_client):
    assert queries_grow(admin_client, LIST, lambda number: report(make_station())) == 0


def test_changelist_neither_counts_nor_looks_rows_up_by_id(admin_client):
    report(make_station())
    with CaptureQueriesContext(connection) as captured:
        page(admin_client, LIST)
        admin_client.get(f"{LIST}{StatusNotification.objects.get().pk}/change/")
    asked = [query["sql"] for query in captured if 'FROM "status_notifications"' in query["sql"]]
    by_id = [sql for sql in asked if "COUNT(" in sql or '"status_notifications"."id" =' in sql or "id DESC" in sql]
    assert (len(asked) > 0, by_id) == (True, [])


def test_changelist_shows_the_last_day_of_all_stations_latest_first(admin_client):
    now = timezone.now()
    station = make_station("A")
    report(station, "Charging", now - timedelta(hours=2))
    report(station, "Faulted", now - timedelta(days=2), error_code="GroundFailure")
    report(make_station("B"), "Preparing", now - timedelta(hours=1), connector_id=2)
    assert shown(page(admin_client, LIST)) == [("B", "2", "Preparing"), ("A", "1", "Charging")]


def test_changelist_of_a_station_shows_any_period(admin_client):
    now = timezone.now()
    station = make_station("A")
    report(make_station("B"), at=now - timedelta(days=9))
    report(station, "Faulted", now - timedelta(days=9))
    report(station, "Available", now - timedelta(days=8))
    period = f"effective_at_from_0={now - timedelta(days=10):%Y-%m-%d}"
    found = shown(page(admin_client, f"{LIST}?station__id__exact={station.pk}&{period}"))
    assert found == [("A", "1", "Available"), ("A", "1", "Faulted")]
    assert shown(page(admin_client, f"{LIST}?{period}")) == []


def test_changelist_goes_back_in_time_for_all_stations_a_day_at_a_time(admin_client):
    now = timezone.now()
    for days in (5, 4, 3):
        report(make_station(f"A{days}"), at=now - timedelta(days=days))
    day = now - timedelta(days=4)
    period = f"effective_at_from_0={now - timedelta(days=9):%Y-%m-%d}&effective_at_to_0={day:%Y-%m-%d}"
    assert [row[0] for row in shown(page(admin_client, f"{LIST}?{period}"))] == ["A4"]


def test_changelist_of_one_status(admin_client):
    station = make_station("A")
    report(station, "Faulted")
    report(station, "Charging", connector_id=2)
    assert shown(page(admin_client, f"{LIST}?status__exact=9")) == [("A", "1", "Faulted")]


def test_changelist_shows_any_word(admin_client):
    report(make_station("A"), "Sleeping")
    assert shown(page(admin_client, LIST)) == [("A", "1", "Sleeping")]


def test_changelist_escapes_what_chargers_sent(admin_client):
    report(make_station(), info="<script>x", error_code="<script>x", vendor_error_code="<script>x")
    assert page(admin_client, LIST).count("<script>x") == 0


def test_rows_are_read_only(admin_client):
    report(make_station())
    row = StatusNotification.objects.get()
    page(admin_client, f"{LIST}add/", status=403)
    page(admin_client, f"{LIST}{row.pk}/change/", status=302)
    assert admin_client.post(f"{LIST}{row.pk}/delete/", {"post": "yes"}).status_code in (302, 403)
    admin_client.post(LIST, {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert StatusNotification.objects.count() == 1


def test_changelist_needs_permission():
    page(staff(), LIST, status=403)
    page(staff("status_notifications.view_statusnotification"), LIST)


def test_station_page_shows_the_latest_of_all_connectors(admin_client):
    station = make_station()
    now = timezone.now()
    for number in range(25):
        report(
            station, ["Available", "Charging"][number % 2], now - timedelta(minutes=number), connector_id=number % 2
        )
    report(make_station(), "Faulted")
    text = page(admin_client, f"/admin/stations/station/{station.pk}/change/")
    panel = text[text.index('aria-label="Latest statuses"') :]
    rows = table_rows(panel[: panel.index("</section>")], r"<tr><td>.*?</tr>")
    assert [(row[1], row[2]) for row in rows] == [(str(n % 2), ["Available", "Charging"][n % 2]) for n in range(20)]
