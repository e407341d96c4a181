"""Reservations, charging profiles and composite schedules in the back office: facts, whatever the station told."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from stations.models import Command, Station
from tests.support.back_office import page, queries_grow, staff, table_rows
from tests.support.commanding import answered, make_online_station, request
from tests.support.factories import make_id_tag, make_station, start, transaction_of
from transactions.models import ChargingProfile, CompositeSchedule, Reservation, Transaction

pytestmark = pytest.mark.django_db
LIST = "/admin/transactions/"
MARKUP = "<script>x"
LAST = "from 1 min on 1 W"


def command(station: Station, action: str = "ReserveNow") -> Command:
    now = timezone.now()
    return Command.objects.create(
        station=station, action=action, requested_by="anna", via="api", created_at=now, expires_at=now
    )


def make_reservation(number: int = 1, **fields: Any) -> Reservation:
    station = fields.pop("station", None) or make_station(f"S{number}")
    now = timezone.now()
    defaults = {
        "station": station, "connector_id": 1, "id_tag": "TAG", "expires_at": now + timedelta(hours=1),
        "command": command(station), "created_by": "anna", "created_at": now,
    }  # fmt: skip
    row = Reservation.objects.create(**(defaults | fields))
    row.refresh_from_db()
    return row


def make_profile(number: int = 1, **fields: Any) -> ChargingProfile:
    station = fields.pop("station", None) or make_station(f"P{number}")
    periods = [{"starts_s": 0, "limit": 21.4}, {"starts_s": 3600, "limit": 10}]
    defaults = {
        "station": station, "connector_id": 1, "purpose": "TxDefaultProfile", "kind": "Absolute", "stack_level": 0,
        "rate_unit": "A", "schedule": {"periods": periods},
        "command": command(station, "SetChargingProfile"), "created_at": timezone.now(),
    }  # fmt: skip
    row = ChargingProfile.objects.create(**(defaults | fields))
    row.refresh_from_db()
    return row


def make_composite(number: int = 1, **fields: Any) -> CompositeSchedule:
    station = fields.pop("station", None) or make_station(f"C{number}")
    defaults = {
        "station": station, "connector_id": 1, "command": command(station, "GetCompositeSchedule"),
        "schedule": {"unit": "W", "periods": [{"starts_s": 0, "limit": 7400.5}]},
        "received_at": timezone.now(),
    }  # fmt: skip
    return CompositeSchedule.objects.create(**(defaults | fields))


MODELS = {"reservation": make_reservation, "chargingprofile": make_profile, "compositeschedule": make_composite}


@pytest.mark.parametrize("name", MODELS)
def test_changelist_runs_as_many_queries_for_2_rows_as_for_20(admin_client, name):
    assert queries_grow(admin_client, f"{LIST}{name}/", MODELS[name]) == 0


@pytest.mark.parametrize("name", MODELS)
def test_rows_are_read_and_never_written(admin_client, name):
    row = MODELS[name]()
    text = page(admin_client, f"{LIST}{name}/{row.pk}/change/")
    assert 'name="_save"' not in text
    page(admin_client, f"{LIST}{name}/add/", 403)
    page(admin_client, f"{LIST}{name}/{row.pk}/delete/", 403)


@pytest.mark.parametrize("name", MODELS)
def test_rows_are_for_those_who_may_see_them(name):
    row = MODELS[name]()
    page(staff(f"transactions.view_{name}"), f"{LIST}{name}/{row.pk}/change/")
    page(staff("transactions.view_transaction"), f"{LIST}{name}/", 403)


def test_reservations_show_how_they_stand(admin_client):
    make_id_tag("TAG")
    row = transaction_of(start(make_station("A")))
    used = make_reservation(1, status="used", transaction=row)
    refused = make_reservation(2, status="refused", result_status="Occupied", id_tag=MARKUP)
    found = table_rows(page(admin_client, f"{LIST}reservation/"))
    assert [[cells[0], cells[1], cells[3], cells[5], cells[6]] for cells in found] == [
        [str(refused.reservation_id), "S2", MARKUP, "Refused: Occupied", ""],
        [str(used.reservation_id), "S1", "TAG", "Used", str(row.transaction_id)],
    ]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("reservation/?status__exact=active", ["S1"]),
        ("reservation/?q=s2", ["S2"]),
        ("reservation/?q=other", ["S2"]),
        ("chargingprofile/?purpose__exact=TxProfile", ["P2"]),
        ("chargingprofile/?q=p1", ["P1"]),
        ("compositeschedule/?q=c2", ["C2"]),
    ],
)
def test_rows_are_found(admin_client, path, found):
    make_reservation(1, status="active")
    make_reservation(2, id_tag="OTHER")
    make_profile(1)
    make_profile(2, purpose="TxProfile")
    make_composite(1)
    make_composite(2)
    assert [cells[1] for cells in table_rows(page(admin_client, LIST + path))] == found


def test_reservation_is_cancelled_from_its_page_while_it_is_held(admin_client):
    held, over = make_reservation(1, status="active"), make_reservation(2, status="expired")
    path = f"{LIST}reservation/{held.pk}/cancel/"
    assert path in page(admin_client, f"{LIST}reservation/{held.pk}/change/")
    assert f"{LIST}reservation/{over.pk}/cancel/" not in page(admin_client, f"{LIST}reservation/{over.pk}/change/")
    response = admin_client.get(path)
    assert response.headers["location"].endswith(f"/cancel_reservation/?reservation_id={held.reservation_id}")
    page(staff("transactions.view_reservation"), path, 403)


def test_schedules_are_told_in_a_line(admin_client):
    make_profile(1, status="active")
    (cells,) = table_rows(page(admin_client, f"{LIST}chargingprofile/"))
    assert cells[6:] == ["21.4 A, from 1 h on 10 A", "Active"]


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        ({}, ""),
        ({"periods": "x"}, ""),
        ({"periods": ["x", None, {"starts_s": "y", "limit": MARKUP}]}, f"{MARKUP} W"),
        ({"periods": [{"starts_s": -5}]}, "None W"),
        (
            {"periods": [{"starts_s": 60, "limit": 1}] * 6},
            ", ".join(["from 1 min on 1 W"] * 5) + " …",
        ),
    ],
)
def test_composite_schedule_may_hold_anything(admin_client, schedule, told):
    row = make_composite(schedule=schedule | {"unit": "W"})
    (cells,) = table_rows(page(admin_client, f"{LIST}compositeschedule/"))
    assert cells[3] == told
    text = page(admin_client, f"/admin/stations/station/{row.station_id}/change/")
    assert MARKUP not in text


def test_station_page_shows_what_it_holds(admin_client):
    station = make_station("A")
    reservation = make_reservation(station=station, status="active")
    profile = make_profile(station=station, status="active")
    make_profile(station=station, status="replaced", schedule={"periods": [{"limit": 99}]})
    make_composite(station=station)
    text = page(admin_client, f"/admin/stations/station/{station.pk}/change/")
    assert f"{LIST}reservation/{reservation.pk}/change/" in text
    assert f"{LIST}chargingprofile/{profile.pk}/change/" in text
    assert "21.4 A, from 1 h on 10 A" in text
    assert "7400.5 W" in text
    assert "99 A" not in text
    text = page(staff("stations.view_station"), f"/admin/stations/station/{station.pk}/change/")
    assert "21.4 A" not in text


def test_transaction_page_shows_what_led_to_it(admin_client, django_capture_on_commit_callbacks):
    make_id_tag("TAG")
    station = make_online_station("A")
    remote = answered(request(station, "RemoteStartTransaction", {"idTag": "TAG", "connectorId": 1}))
    reservation = make_reservation(station=station, status="active")
    with django_capture_on_commit_callbacks(execute=True):
        row: Transaction = transaction_of(start(station, at=timezone.now()))
    text = page(admin_client, f"{LIST}transaction/{row.pk}/change/")
    assert f'href="/admin/stations/command/{remote.pk}/change/">{remote} of anna</a>' in text
    assert f'href="{LIST}reservation/{reservation.pk}/change/"' in text
