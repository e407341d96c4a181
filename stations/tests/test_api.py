"""Stations, deviations and refused connections in the API."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django_redis import get_redis_connection

from connectors.models import Connector
from stations.models import Boot, Deviation, RefusedConnection, Station
from stations.passwords import verify_password
from stations.selectors import presence_key
from tests.support.api import Program, errors, name, queries_grow
from tests.support.factories import NOON, make_station, start

pytestmark = pytest.mark.django_db


@pytest.fixture
def program() -> Program:
    return Program()


def make_online(identity: str) -> Station:
    station = make_station(identity, connected_at=NOON)
    get_redis_connection("default").set(presence_key(station.pk), station.connection_epoch)
    return station


# Reading


def test_station_shows_what_is_known_of_it(program):
    station = make_station("CP-1", name="Yard", vendor="ABB", last_seen_at=NOON, clock_drift_s=1.5)
    Connector.objects.create(station=station, connector_id=2, status="Faulted", error_code="GroundFailure")
    Connector.objects.create(station=station, connector_id=1, label="Left", status="Available", status_at=NOON)
    shown = program.get("stations/cp-1/")
    assert (shown["identity"], shown["name"], shown["vendor"], shown["registration_status"]) == (
        "CP-1", "Yard", "ABB", "Accepted",
    )  # fmt: skip
    assert (shown["last_seen_at"], shown["clock_drift_s"]) == ("2026-03-01T12:00:00Z", 1.5)
    assert (shown["online"], shown["has_password"]) == (False, False)
    assert shown["connectors"] == [
        {
            "connector_id": 1, "label": "Left", "status": "Available", "error_code": "", "is_faulted": False,
            "status_at": "2026-03-01T12:00:00Z",
        },
        {
            "connector_id": 2, "label": "", "status": "Faulted", "error_code": "GroundFailure", "is_faulted": True,
            "status_at": None,
        },
    ]  # fmt: skip
    assert "password_hash" not in shown


@pytest.mark.parametrize("identity", ["CP 1", "Ä-1", "100%", "a%2Fb", "?x=1", "#1", "a+b"])
def test_station_is_found_by_its_percent_encoded_identity(program, identity):
    make_station(identity)
    assert program.get(f"stations/{name(identity)}/")["identity"] == identity


def test_station_that_is_not_there(program):
    assert program.get("stations/NONE/", status=404)["detail"] == "There is no such station."


def test_stations_by_presence(program):
    make_online("ON")
    dead = make_station("LEASE-RAN-OUT", connected_at=NOON)
    assert dead.is_online
    make_station("OFF", connected_at=NOON, disconnected_at=NOON)
    assert {row["identity"]: row["online"] for row in program.get("stations/")["results"]} == {
        "ON": True, "OFF": False, "LEASE-RAN-OUT": False,
    }  # fmt: skip
    assert program.ids("stations/", "identity", online="true") == ["ON"]
    assert program.ids("stations/", "identity", online="false") == ["LEASE-RAN-OUT", "OFF"]


def test_stations_filtered(program):
    make_station("A-1", registration_status="Pending", vendor="ABB")
    make_station("A-2", vendor="Alfen", charge_box_serial_number="XYZ", firmware_version="2")
    assert program.ids("stations/", "identity", registration_status="Pending") == ["A-1"]
    assert program.ids("stations/", "identity", vendor="Alfen", firmware_version="2") == ["A-2"]
    assert program.ids("stations/", "identity", search="xy") == ["A-2"]
    assert program.ids("stations/", "identity", search="a-") == ["A-1", "A-2"]


def test_stations_run_as_many_queries_for_1_as_for_20(program):
    def make(number: int) -> None:
        station = make_station(connected_at=NOON)
        Connector.objects.create(station=station, connector_id=1)

    assert queries_grow(program, "stations/", make) == 0


# Writing


def test_create_makes_a_pending_station(program):
    response = program.send("post", "stations/", {"identity": "NEW/1", "name": "Yard", "time_zone": "Europe/Berlin"})
    station = Station.objects.get()
    assert (response.status_code, response["Location"]) == (201, "/api/v1/stations/NEW%2F1/")
    assert (station.identity, station.name, station.registration_status, station.first_accepted_at) == (
        "NEW/1", "Yard", "Pending", None,
    )  # fmt: skip
    assert response.json()["time_zone"] == "Europe/Berlin"


def test_create_with_password_and_status(program):
    shown = program.post(
        "stations/", {"identity": "NEW", "registration_status": "Accepted", "password": "0" * 32}, status=201
    )
    station = Station.objects.get()
    assert (shown["has_password"], shown["registration_status"]) == (True, "Accepted")
    assert station.first_accepted_at is not None
    assert verify_password(b"0" * 32, station.password_hash)
    assert "password" not in shown


def test_create_of_a_known_identity_is_a_conflict(program):
    make_station("CP-1")
    problem = program.post("stations/", {"identity": "cp-1"}, status=409)
    assert problem["type"] == "urn:evcharging:problem:exists"
    assert Station.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/identity"),
        ({"identity": ""}, "#/identity"),
        ({"identity": "x" * 256}, "#/identity"),
        ({"identity": "a\u0000b"}, "#/identity"),
        ({"identity": "a\nb"}, "#/identity"),
        ({"identity": 5}, "#/identity"),
        ({"identity": "X", "password": "short"}, "#/password"),
        ({"identity": "X", "time_zone": "Mars/Base"}, "#/time_zone"),
        ({"identity": "X", "registration_status": "accepted"}, "#/registration_status"),
        ({"identity": "X", "registration_status": ["Accepted"]}, "#/registration_status"),
        ({"identity": "X", "heartbeat_interval_s": -1}, "#/heartbeat_interval_s"),
        ({"identity": "X", "heartbeat_interval_s": 10**30}, "#/heartbeat_interval_s"),
        ({"identity": "X", "heartbeat_interval_s": "60"}, "#/heartbeat_interval_s"),
        ({"identity": "X", "assume_ocpp16": "true"}, "#/assume_ocpp16"),
        ({"identity": "X", "vendor": "ABB"}, "#/vendor"),
        ({"identity": "X", "na/me~": 1}, "#/na~1me~0"),
    ],
)
def test_create_of_what_cannot_be(program, body, pointer):
    assert list(errors(program.post("stations/", body, status=400))) == [pointer]
    assert Station.objects.count() == 0


def test_patch_changes_what_is_given_and_nothing_else(program):
    station = make_station("CP-1", name="Yard", ping_interval_s=30)
    shown = program.patch("stations/CP-1/", {"ping_interval_s": None, "id_tag_transform": "first_of_list"})
    station.refresh_from_db()
    assert (station.name, station.ping_interval_s, station.id_tag_transform) == ("Yard", None, "first_of_list")
    assert (shown["name"], shown["ping_interval_s"]) == ("Yard", None)


@pytest.mark.parametrize("status", ["Accepted", "Rejected", "Pending"])
def test_patch_decides_about_registration(program, status):
    make_station("CP-1", registration_status="Pending" if status != "Pending" else "Accepted", first_accepted_at=None)
    assert program.patch("stations/CP-1/", {"registration_status": status})["registration_status"] == status
    station = Station.objects.get()
    assert (station.registration_status, station.first_accepted_at is not None) == (status, status == "Accepted")


def test_patch_of_password(program):
    make_station("CP-1")
    assert program.patch("stations/CP-1/", {"password": "1" * 40})["has_password"] is True
    assert program.patch("stations/CP-1/", {"password": ""})["has_password"] is False


def test_patch_does_not_change_the_identity(program):
    make_station("CP-1")
    assert list(errors(program.patch("stations/CP-1/", {"identity": "CP-2"}, status=400))) == ["#/identity"]


def test_patch_tells_the_connection(program, django_capture_on_commit_callbacks):
    make_station("CP-1")
    with django_capture_on_commit_callbacks() as callbacks:
        program.patch("stations/CP-1/", {"ping_interval_s": 10})
    assert len(callbacks) == 1


def test_delete_of_a_station_without_history(program):
    station = make_station("CP-1")
    Boot.objects.create(station=station, received_at=NOON, answered_status="Pending", payload={})
    assert program.delete("stations/CP-1/") is None
    assert (Station.objects.count(), Boot.objects.count()) == (0, 0)
    program.delete("stations/CP-1/", status=404)


def test_delete_of_a_station_with_history_is_a_conflict(program):
    station = make_station("CP-1")
    start(station)
    problem = program.delete("stations/CP-1/", status=409)
    assert problem["type"] == "urn:evcharging:problem:has-history"
    assert problem["detail"] == "station CP-1 has history and stays; reject it instead."
    assert Station.objects.count() == 1


def test_put_is_not_allowed(program):
    make_station("CP-1")
    response = program.send("put", "stations/CP-1/", {"name": "x"})
    assert (response.status_code, response["Allow"]) == (405, "GET, PATCH, DELETE, HEAD")


# Deviations and refused connections


def make_deviation(number: int, **fields) -> Deviation:
    at = timezone.now() - timedelta(hours=number)
    defaults = {"action": "BootNotification", "rule": f"rule-{number}", "first_seen_at": at, "last_seen_at": at}
    return Deviation.objects.create(**{"station": make_station(), "count": number, **defaults, **fields})


def make_refusal(number: int, **fields) -> RefusedConnection:
    at = timezone.now() - timedelta(hours=number)
    defaults = {"identity": f"NEW-{number}", "reason": "unknown_identity", "first_seen_at": at, "last_seen_at": at}
    return RefusedConnection.objects.create(**{"count": number, **defaults, **fields})


def test_deviations_latest_first_and_filtered(program):
    old, new = make_deviation(5, action="Authorize"), make_deviation(1)
    assert program.ids("deviations/", "id") == [new.pk, old.pk]
    assert program.ids("deviations/", "id", ordering="-count") == [old.pk, new.pk]
    assert program.ids("deviations/", "id", station=new.station.identity.lower()) == [new.pk]
    assert program.ids("deviations/", "id", station="NONE") == []
    assert program.ids("deviations/", "id", action="Authorize") == [old.pk]
    since = (timezone.now() - timedelta(hours=2)).isoformat()
    assert program.ids("deviations/", "id", since=since) == [new.pk]
    assert program.ids("deviations/", "id", until=since) == [old.pk]
    assert program.get(f"deviations/{new.pk}/")["station"] == new.station.identity


def test_deviations_run_as_many_queries_for_1_as_for_20(program):
    assert queries_grow(program, "deviations/", make_deviation) == 0


def test_refused_connections_are_read(program):
    make_refusal(5)
    row = make_refusal(1, reason="wrong_password", identity="Cp", detail="<b>")
    assert program.ids("refused-connections/", "identity") == ["Cp", "NEW-5"]
    assert program.ids("refused-connections/", "id", reason="wrong_password", identity="CP") == [row.pk]
    assert program.get(f"refused-connections/{row.pk}/")["detail"] == "<b>"
    program.post("refused-connections/", {}, status=405)


def test_refused_connections_run_as_many_queries_for_1_as_for_20(program):
    assert queries_grow(program, "refused-connections/", make_refusal) == 0
