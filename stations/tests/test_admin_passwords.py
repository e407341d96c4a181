"""Passwords in the back office: generated, shown once, kept nowhere in clear."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session

from stations.models import Station
from stations.passwords import verify_password
from tests.support.back_office import messages, page, staff
from tests.support.factories import make_station

pytestmark = pytest.mark.django_db
LIST = "/admin/stations/station/"


def url(station: Station, what: str) -> str:
    return f"{LIST}{station.pk}/{what}/"


def shown(text: str) -> list[str]:
    return re.findall(r'<code class="bo-secret">([0-9a-f]{40})</code>', text)


def test_set_password_asks_first(admin_client):
    station = make_station("A")
    assert page(admin_client, url(station, "set-password")).count("Set a new password for A?") == 2
    station.refresh_from_db()
    assert not station.has_password


def test_set_password_shows_it_once_and_stores_its_hash(admin_client):
    station = make_station()
    response = admin_client.post(url(station, "set-password"))
    (password,) = shown(response.content.decode())
    station.refresh_from_db()
    assert verify_password(password.encode(), station.password_hash)
    assert "no-store" in response.headers["Cache-Control"].split(", ")
    assert password not in station.password_hash
    kept = [str(session.get_decoded()) for session in Session.objects.all()]
    kept += list(LogEntry.objects.values_list("change_message", flat=True))
    kept += [page(admin_client, "/admin/"), page(admin_client, url(station, "change"))]
    assert [text for text in kept if password in text] == []
    assert LogEntry.objects.get().change_message == "Password set."


def test_set_passwords_of_many_asks_and_then_shows_each(admin_client):
    stations = [make_station(f"A{number}") for number in range(3)]
    data = {"action": "set_passwords", "_selected_action": [station.pk for station in stations]}
    asked = admin_client.post(LIST, data).content.decode()
    assert (asked.count("Set new passwords for 3 stations?"), shown(asked)) == (2, [])
    found = shown(admin_client.post(LIST, data | {"answered": "yes"}).content.decode())
    hashes = Station.objects.order_by("identity").values_list("password_hash", flat=True)
    assert [verify_password(one.encode(), stored) for one, stored in zip(found, hashes, strict=True)] == [True] * 3


def test_set_passwords_of_too_many_is_refused(admin_client, monkeypatch):
    monkeypatch.setattr("stations.admin.passwords.MAX_AT_ONCE", 1)
    stations = [make_station() for _ in range(2)]
    data = {"action": "set_passwords", "_selected_action": [station.pk for station in stations], "answered": "yes"}
    admin_client.post(LIST, data)
    assert messages(admin_client) == ["At most 1 stations at once."]
    assert Station.objects.exclude(password_hash="").count() == 0


def test_clear_password(admin_client):
    station = make_station("A")
    admin_client.post(url(station, "set-password"))
    page(admin_client, url(station, "clear-password"))
    station.refresh_from_db()
    assert station.has_password
    admin_client.post(url(station, "clear-password"))
    station.refresh_from_db()
    assert (station.has_password, messages(admin_client)) == (False, ["A connects without a password now."])


@pytest.mark.parametrize("what", ["set-password", "clear-password"])
def test_passwords_need_permission(what):
    station = make_station()
    client = staff("stations.view_station")
    assert (client.get(url(station, what)).status_code, client.post(url(station, what)).status_code) == (403, 403)
    assert page(client, url(station, "change")).count(what) == 0


def test_passwords_of_many_need_permission():
    station = make_station()
    client = staff("stations.view_station")
    client.post(LIST, {"action": "set_passwords", "_selected_action": [station.pk], "answered": "yes"})
    station.refresh_from_db()
    assert not station.has_password


def test_passwords_of_an_unknown_station_are_not_found(admin_client):
    page(admin_client, f"{LIST}4711/set-password/", status=404)
