"""The back office's first page, its navigation, and the accounts of staff."""

import re
from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.urls import reverse
from django.utils import timezone
from django_redis import get_redis_connection

from id_tags.services.unknown_tags import note_unknown_id_tag
from stations.models import RefusedConnection
from stations.selectors import presence_key
from tests.support.back_office import page, queries_grow, staff, table_rows
from tests.support.factories import make_id_tag, make_station, start, stop
from transactions.models import Transaction

pytestmark = pytest.mark.django_db
HOME = "/admin/"
REACHED_FROM_OTHER_PAGES = {"transactions.compositeschedule", "api.idempotencykey"}


def figures(text: str) -> dict[str, tuple[str, str]]:
    """Each figure with the small text below it."""
    found = re.findall(
        r'bo-figure-title">(.*?)</span>\s*<strong>(.*?)</strong>\s*<span class="bo-muted">(.*?)</span>', text, re.S
    )
    return {title: (value, detail) for title, value, detail in found}


def online(identity: str, **fields):
    station = make_station(identity, connected_at=timezone.now(), last_seen_at=timezone.now(), **fields)
    get_redis_connection("default").set(presence_key(station.pk), station.connection_epoch)
    return station


def fill() -> None:
    now = timezone.now()
    station = online("ON")
    make_station("OFF", connected_at=now, disconnected_at=now - timedelta(hours=2))
    make_station("WAITS", registration_status="Pending", first_accepted_at=None)
    online("KNOCKS", registration_status="Pending", first_accepted_at=None)
    station.connectors.create(connector_id=9, status="Faulted", error_code="OtherError", status_at=now)
    make_id_tag("TAG")
    start(station, at=now - timedelta(hours=1))
    Transaction.objects.update(power_w=7200.0)
    start(station, connector_id=2, id_tag="NOBODY", at=now - timedelta(hours=1), meter_start=0)
    stop(station, transaction_id=Transaction.objects.get(id_tag="NOBODY").transaction_id, meter_stop=12_000, at=now)
    stop(station, transaction_ref="-1", id_tag="X", at=now)
    note_unknown_id_tag(id_tag="SECOND", station_id=station.pk, now=now)
    for reason, seen in (("unknown_identity", now), ("wrong_password", now - timedelta(days=2))):
        RefusedConnection.objects.create(identity="X", reason=reason, count=1, first_seen_at=seen, last_seen_at=seen)


def test_dashboard_shows_the_numbers_that_an_operator_wants_first(admin_client):
    fill()
    assert figures(page(admin_client, HOME)) == {
        "Online": ("2", "of 4 stations"),
        "Offline": ("1", "accepted, not connected"),
        "Pending": ("2", "wait to be accepted"),
        "Faulted connectors": ("1", "report an error"),
        "Charging now": ("1", "7.20 kW"),
        "Energy, last 24 h": ("12 kWh", "2 transactions"),
        "Marked, last 24 h": ("1", "to look at before billing"),
        "Orphans": ("1", "wait for review"),
        "Unknown tags": ("3", "were presented"),
        "Refused, last 24 h": ("1", "identities and reasons"),
    }


def test_dashboard_lists_faults_and_who_went_offline_last(admin_client):
    fill()
    rows = table_rows(page(admin_client, HOME), r"<tr><td>.*?</tr>")
    assert rows == [["ON", "9", "OtherError", "0 s ago"], ["OFF", "", "2 h ago", ""]]


def test_dashboard_of_an_empty_system(admin_client):
    shown = figures(page(admin_client, HOME))
    assert {value for value, _ in shown.values()} == {"0", "0 kWh"}


def test_dashboard_links_lead_to_what_they_count(admin_client):
    fill()
    text = page(admin_client, HOME)
    links = [link.replace("&amp;", "&") for link in re.findall(r'<a class="bo-figure[^"]*" href="([^"]+)"', text)]
    shown = [str(len(table_rows(page(admin_client, link)))) for link in links]
    numbers = [value for value, _ in figures(text).values()]
    # The energy's link shows its transactions, the refusals' link older ones too.
    assert shown == [*numbers[:5], "2", *numbers[6:9], "2"]


def test_dashboard_runs_a_constant_number_of_queries(admin_client):
    def make(number: int) -> None:
        station = online(f"A{number}")
        station.connectors.create(connector_id=9, status="Faulted", status_at=timezone.now())
        start(station, id_tag=f"T{number}")
        make_station(connected_at=timezone.now(), disconnected_at=timezone.now())

    assert queries_grow(admin_client, HOME, make) == 0


def test_dashboard_shows_only_what_the_viewer_may_see():
    fill()
    assert list(figures(page(staff("stations.view_station"), HOME))) == ["Online", "Offline", "Pending"]
    assert list(figures(page(staff("connectors.view_connector"), HOME))) == ["Faulted connectors"]
    assert page(staff(), HOME).count("You have no permission to see anything yet") == 1


def test_navigation_shows_only_what_the_viewer_may_see(admin_client):
    def links(text: str) -> list[str]:
        sidebar = text[text.index('id="nav-sidebar-apps"') : text.index("</nav>")]
        return re.findall(r'<a href="(/admin/\w+/\w+/)"', sidebar)

    assert links(page(staff("stations.view_station"), HOME)) == ["/admin/stations/station/"]
    everything = links(page(admin_client, HOME))
    models = {model._meta.label_lower for model in admin.site._registry} - REACHED_FROM_OTHER_PAGES
    assert sorted(everything) == sorted(reverse(f"admin:{label.replace('.', '_')}_changelist") for label in models)
    for link in everything:
        page(admin_client, link)


def test_home_leads_to_the_back_office(client):
    assert client.get("/").headers["Location"] == HOME
    assert client.get(HOME).headers["Location"] == "/admin/login/?next=/admin/"


def test_users_and_roles(admin_client):
    role = Group.objects.create(name="Night shift")
    user = User.objects.create_user("anna")
    for path in ("auth/user/", f"auth/user/{user.pk}/change/", "auth/user/add/", f"auth/group/{role.pk}/change/"):
        page(admin_client, f"{HOME}{path}")
    assert queries_grow(admin_client, f"{HOME}auth/user/", lambda number: User.objects.create(username=number)) == 0
    page(staff("stations.view_station"), f"{HOME}auth/user/", status=403)


def test_login_page_opened_by_itself_leads_to_the_dashboard(client):
    User.objects.create_superuser("chief", password="a-long-one-9")
    told = client.post("/admin/login/", {"username": "chief", "password": "a-long-one-9"})
    assert (told.status_code, told["Location"]) == (302, HOME)
