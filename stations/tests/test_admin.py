"""Stations in the back office: the list, the page, and what staff decide."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone
from django_redis import get_redis_connection
from redis import Redis

from stations.models import Boot, Deviation, Notice, RefusedConnection, Station
from stations.selectors import presence_key
from stations.signals import station_changed
from tests.support.back_office import findings, messages, page, queries_grow, staff, table_rows
from tests.support.factories import make_station, start

pytestmark = pytest.mark.django_db
LIST = "/admin/stations/station/"


def connected(identity: str | None = None, **fields) -> Station:
    """A station whose connection lives."""
    fields = {"connected_at": timezone.now(), "last_seen_at": timezone.now(), "last_boot_at": timezone.now()} | fields
    station = make_station(identity, **fields)
    get_redis_connection("default").set(presence_key(station.pk), station.connection_epoch)
    return station


def url(station: Station, what: str = "change") -> str:
    return f"{LIST}{station.pk}/{what}/"


def form(station: Station, **fields) -> dict[str, str]:
    """What the browser posts from a station's page."""
    values = {
        "name": station.name,
        "registration_status": station.registration_status,
        "time_zone": station.time_zone,
        "id_tag_transform": station.id_tag_transform,
        "response_delay_ms": str(station.response_delay_ms),
    }
    return values | fields


@pytest.fixture
def changes():
    """The stations that station_changed was sent for."""
    seen = []

    def note(sender, station_id, **kwargs):
        seen.append(station_id)

    station_changed.connect(note)
    yield seen
    station_changed.disconnect(note)


# The list


def test_changelist_runs_as_many_queries_for_2_rows_as_for_20(admin_client):
    def make(number: int) -> None:
        station = connected(vendor=f"V{number}", firmware_version=f"1.{number}")
        start(station, id_tag=f"T{number}")
        Deviation.objects.create(
            station=station, action="X", rule="r", first_seen_at=timezone.now(), last_seen_at=timezone.now(), count=1
        )

    assert queries_grow(admin_client, LIST, make) == 0


def test_changelist_asks_redis_once(admin_client, monkeypatch):
    for _ in range(5):
        connected()
    asked = []  # the server's own statistics count the other workers' commands too
    mget = Redis.mget
    monkeypatch.setattr(Redis, "mget", lambda self, keys: asked.append(len(keys)) or mget(self, keys))
    page(admin_client, LIST)
    assert asked == [5]


def test_changelist_tells_what_a_station_is_like(admin_client):
    station = connected("A", name="Harbour", vendor="ABB", model="Terra", firmware_version="1.8", clock_drift_s=90.0)
    connector = station.connectors.create(connector_id=1, status="Faulted", error_code="GroundFailure")
    station.connectors.create(connector_id=2, status="Available", error_code="NoError")
    start(station, connector_id=connector.connector_id)
    rows = table_rows(page(admin_client, LIST))
    assert [cells[1:4] + cells[5:] for cells in rows] == [
        ["A Harbour", "Online", "Accepted", "ABB Terra 1.8", "+1 min", "1", "1", ""]
    ]


def test_changelist_shows_a_station_whose_process_died_as_offline(admin_client):
    station = connected("A")
    get_redis_connection("default").delete(presence_key(station.pk))
    assert table_rows(page(admin_client, LIST))[0][2] == "Offline"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("connection=online", ["ON"]),
        ("connection=offline", ["OFF", "QUIET"]),
        ("connection=never", ["QUIET"]),
        ("boot=never", ["QUIET"]),
        ("boot=booted", ["OFF", "ON"]),
        ("clock=off", ["OFF"]),
        ("clock=unknown", ["ON", "QUIET"]),
        ("fault=yes", ["ON"]),
        ("fault=no", ["OFF", "QUIET"]),
        ("deviations=yes", ["OFF"]),
        ("deviations=no", ["ON", "QUIET"]),
        ("vendor=ABB", ["ON"]),
        ("firmware_version=2.0", ["OFF"]),
        ("registration_status__exact=Pending", ["QUIET"]),
        ("q=serial-7", ["OFF"]),
        ("q=harbour", ["ON"]),
    ],
)
def test_changelist_filters(admin_client, query, found):
    now = timezone.now()
    on = connected("ON", vendor="ABB", name="Harbour 1")
    on.connectors.create(connector_id=1, status="Available", error_code="OverVoltage")
    off = make_station(
        "OFF",
        connected_at=now,
        disconnected_at=now,
        last_boot_at=now,
        clock_drift_s=-61,
        firmware_version="2.0",
        charge_point_serial_number="SERIAL-77",
    )
    Deviation.objects.create(station=off, action="X", rule="r", first_seen_at=now, last_seen_at=now, count=1)
    make_station("QUIET", registration_status="Pending", first_accepted_at=None)
    assert [cells[1].split()[0] for cells in table_rows(page(admin_client, f"{LIST}?{query}"))] == found


def test_changelist_escapes_what_a_charger_calls_itself(admin_client):
    make_station("<script>a</script>", vendor="<b>v</b>", firmware_version="<i>")
    text = page(admin_client, LIST)
    assert (text.count("<script>a"), text.count("<b>v"), text.count("&lt;script&gt;a&lt;/script&gt;")) == (0, 0, 1)


# The page


def test_page_of_a_healthy_station_has_no_findings(admin_client):
    assert findings(page(admin_client, url(connected()))) == []


def test_page_says_why_a_charger_is_down(admin_client):
    now = timezone.now()
    station = make_station(
        "A",
        connected_at=now - timedelta(days=2),
        disconnected_at=now - timedelta(hours=3),
        registration_status="Pending",
        clock_drift_s=-7200,
        last_boot_at=now,
    )
    station.connectors.create(
        connector_id=1, status="Faulted", error_code="GroundFailure", info="RCD", status_at=now - timedelta(hours=4)
    )
    RefusedConnection.objects.create(
        identity="a", reason="wrong_password", count=7, first_seen_at=now, last_seen_at=now - timedelta(minutes=5)
    )
    Notice.objects.create(
        station=station,
        kind="security_event",
        status="TamperDetectionActivated",
        payload={},
        received_at=now,
        digest="00000000-0000-0000-0000-000000000001",
    )
    assert findings(page(admin_client, url(station))) == [
        "Offline for 3 h.",
        "Connections refused: wrong password, 7 times, last 5 min ago.",
        "Connector 1 reports a fault for 4 h: GroundFailure, RCD.",
        "Waits to be accepted: its boots are answered Pending, and it must not charge.",
        "Its clock is off by −2 h.",
        "Security event within a day: TamperDetectionActivated.",
    ]


def test_page_tells_when_the_process_of_its_connection_died(admin_client):
    station = connected()
    get_redis_connection("default").delete(presence_key(station.pk))
    assert findings(page(admin_client, url(station))) == [
        "Offline: the process that held its connection is gone, and it has not come back yet."
    ]


def test_page_runs_a_constant_number_of_queries(admin_client):
    station = connected("A")

    def make(number: int) -> None:
        now = timezone.now() - timedelta(minutes=number)
        start(station, connector_id=number + 1, id_tag=f"T{number}")
        station.connectors.filter(connector_id=number + 1).update(status="Faulted")
        Boot.objects.create(station=station, received_at=now, answered_status="Accepted", payload={})
        Deviation.objects.create(
            station=station, action=f"X{number}", rule="r", first_seen_at=now, last_seen_at=now, count=1
        )
        RefusedConnection.objects.create(
            identity="A", reason=f"r{number}", count=1, first_seen_at=now, last_seen_at=now
        )

    assert queries_grow(admin_client, url(station), make) == 0


def test_page_shows_panels_only_of_what_the_viewer_may_see():
    station = connected()
    text = page(staff("stations.view_station"), url(station))
    titles = ["Connectors", "Charging now", "Latest statuses", "Boots", "Deviations"]
    assert [title for title in titles if f'aria-label="{title}"' in text] == []


# Saving


def test_save_writes_only_what_the_form_changed(admin_client, changes, django_capture_on_commit_callbacks):
    station = connected(name="old")
    Station.objects.filter(pk=station.pk).update(connection_epoch=7)
    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post(url(station), form(station, name="new", idle_limit_s="60"))
    station.refresh_from_db()
    assert (station.name, station.idle_limit_s, station.connection_epoch, changes) == ("new", 60, 7, [station.pk])


def test_save_of_status_accepts_as_the_service_does(admin_client, changes, django_capture_on_commit_callbacks):
    station = make_station(registration_status="Pending", first_accepted_at=None)
    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post(url(station), form(station, registration_status="Accepted"))
    station.refresh_from_db()
    assert (station.registration_status, station.was_ever_accepted) == ("Accepted", True)
    assert set(changes) == {station.pk}


def test_save_back_to_pending(admin_client):
    station = make_station()
    admin_client.post(url(station), form(station, registration_status="Pending"))
    station.refresh_from_db()
    assert (station.registration_status, station.was_ever_accepted) == ("Pending", True)


def test_add_makes_an_accepted_station(admin_client):
    data = {"identity": "NEW", "name": "", "registration_status": "Accepted", "time_zone": "UTC"}
    admin_client.post(f"{LIST}add/", data)
    station = Station.objects.get()
    assert (station.identity, station.registration_status, station.was_ever_accepted) == ("NEW", "Accepted", True)


@pytest.mark.parametrize(
    ("identity", "problem"),
    [
        ("cp-1", "There is a station with this identity already (its case does not matter)."),
        ("A\u200bB", "An identity has printable characters only."),
    ],
)
def test_add_refuses_an_identity(admin_client, identity, problem):
    make_station("CP-1")
    data = {"identity": identity, "name": "", "registration_status": "Accepted", "time_zone": "UTC"}
    text = admin_client.post(f"{LIST}add/", data).content.decode()
    assert (text.count(problem), Station.objects.count()) == (1, 1)


def test_page_without_permission_is_refused():
    station = make_station()
    page(staff(), url(station), status=403)
    assert staff("stations.view_station").post(url(station), form(station, name="x")).status_code == 403


# Decisions


@pytest.mark.parametrize(("action", "status"), [("accept", "Accepted"), ("reject", "Rejected")])
def test_action_decides_for_many(admin_client, action, status, changes, django_capture_on_commit_callbacks):
    stations = [make_station(registration_status="Pending", first_accepted_at=None) for _ in range(3)]
    data = {"action": action, "_selected_action": [station.pk for station in stations]}
    with django_capture_on_commit_callbacks(execute=True):
        assert admin_client.post(LIST, data).status_code == 302
    assert list(Station.objects.values_list("registration_status", flat=True)) == [status] * 3
    assert messages(admin_client) == [f"3 stations: {status}."]
    assert (len(changes), LogEntry.objects.filter(change_message=f"Registration status: {status}.").count()) == (3, 3)


def test_action_that_changes_nothing_says_so(admin_client):
    station = make_station()
    admin_client.post(LIST, {"action": "accept", "_selected_action": [station.pk]})
    assert messages(admin_client) == ["Nothing to do: Accepted already."]


def test_buttons_of_the_page_decide(admin_client):
    station = make_station("A", registration_status="Pending", first_accepted_at=None)
    response = admin_client.post(url(station, "registration"), {"status": "Accepted"})
    station.refresh_from_db()
    assert (response.status_code, station.registration_status) == (302, "Accepted")
    assert messages(admin_client) == ["A: Accepted."]


def test_buttons_of_the_page_act_on_post_only(admin_client):
    page(admin_client, url(make_station(), "registration"), status=405)


def test_buttons_ignore_words_that_are_no_status(admin_client):
    station = make_station()
    admin_client.post(url(station, "registration"), {"status": "Nonsense"})
    station.refresh_from_db()
    assert station.registration_status == "Accepted"


def test_decisions_need_permission():
    station = make_station(registration_status="Pending")
    client = staff("stations.view_station")
    assert client.post(url(station, "registration"), {"status": "Accepted"}).status_code == 403
    client.post(LIST, {"action": "accept", "_selected_action": [station.pk]})
    station.refresh_from_db()
    assert station.registration_status == "Pending"
    assert page(client, url(station)).count("registration/") == 0


# Deleting


def test_delete_of_a_station_with_history_is_refused_kindly(admin_client):
    station = make_station("A")
    start(station)
    response = admin_client.post(url(station, "delete"), {"post": "yes"})
    assert (response.status_code, Station.objects.count()) == (302, 1)
    assert messages(admin_client) == ["The station A has history and stays. Reject it instead."]
    assert page(admin_client, url(station)).count(url(station, "delete")) == 0


def test_delete_of_a_station_without_history(admin_client):
    station = make_station()
    assert page(admin_client, url(station)).count(url(station, "delete")) == 1
    admin_client.post(url(station, "delete"), {"post": "yes"})
    assert Station.objects.count() == 0


def test_delete_in_bulk_is_not_offered(admin_client):
    station = make_station()
    admin_client.post(LIST, {"action": "delete_selected", "_selected_action": [station.pk], "post": "yes"})
    assert Station.objects.count() == 1
