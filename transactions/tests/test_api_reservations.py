"""Reservations, charging profiles and composite schedules in the API."""

from datetime import timedelta

import pytest
from django.utils import timezone

from stations.models import Command, Station
from tests.support.api import Program, queries_grow
from tests.support.factories import make_id_tag, make_station, start, transaction_of
from transactions.models import ChargingProfile, CompositeSchedule, Reservation

pytestmark = pytest.mark.django_db


@pytest.fixture
def program() -> Program:
    return Program()


def command(station: Station, action: str = "ReserveNow") -> Command:
    now = timezone.now()
    return Command.objects.create(
        station=station, action=action, requested_by="x", via="api", created_at=now, expires_at=now
    )


def make_reservation(number: int = 1, **fields: object) -> Reservation:
    station = fields.pop("station", None) or make_station(f"S{number}")
    now = timezone.now()
    defaults = {
        "station": station, "connector_id": 1, "id_tag": "T", "expires_at": now + timedelta(hours=1),
        "command": command(station), "created_by": "anna", "created_at": now,
    }  # fmt: skip
    row = Reservation.objects.create(**(defaults | fields))
    row.refresh_from_db()
    return row


def make_profile(number: int = 1, **fields: object) -> ChargingProfile:
    station = make_station(f"P{number}")
    defaults = {
        "station": station, "connector_id": 0, "purpose": "ChargePointMaxProfile", "kind": "Absolute",
        "stack_level": 0, "rate_unit": "A", "schedule": {"unit": "A", "periods": [{"starts_s": 0, "limit": 6}]},
        "command": command(station, "SetChargingProfile"), "created_at": timezone.now(),
    }  # fmt: skip
    return ChargingProfile.objects.create(**(defaults | fields))


def test_reservation_shows_what_used_it(program):
    make_id_tag("TAG")
    station = make_station("A")
    row = transaction_of(start(station))
    used = make_reservation(station=station, status="used", transaction=row)
    shown = program.get(f"reservations/{used.pk}/")
    assert (shown["station"], shown["status"], shown["transaction_id"]) == ("A", "used", row.transaction_id)
    assert shown["reservation_id"] == used.reservation_id
    open_one = make_reservation(2)
    assert program.get(f"reservations/{open_one.pk}/")["transaction_id"] is None


def test_reservations_are_filtered(program):
    make_reservation(1, status="active")
    make_reservation(2, status="refused")
    assert [row["station"] for row in program.get("reservations/")["results"]] == ["S2", "S1"]
    assert [row["station"] for row in program.get("reservations/?status=active")["results"]] == ["S1"]
    assert [row["station"] for row in program.get("reservations/", station="s2")["results"]] == ["S2"]
    assert program.get("reservations/?status=sleeping", status=400)["status"] == 400


def test_profiles_are_filtered(program):
    make_profile(1, status="active")
    make_profile(2, purpose="TxDefaultProfile")
    assert [row["station"] for row in program.get("charging-profiles/?status=active")["results"]] == ["P1"]
    assert [row["station"] for row in program.get("charging-profiles/", purpose="TxDefaultProfile")["results"]] == [
        "P2"
    ]


def test_composite_schedules_are_listed(program):
    station = make_station("A")
    CompositeSchedule.objects.create(
        station=station,
        connector_id=1,
        command=command(station),
        schedule={"x": 1, "unit": "W", "periods": [5]},
        received_at=timezone.now(),
    )
    (row,) = program.get("composite-schedules/", station="A")["results"]
    assert (row["connector_id"], row["schedule"]) == (
        1, {"x": 1, "chargingRateUnit": "W", "chargingSchedulePeriod": [5]},
    )  # fmt: skip


def test_lists_run_as_many_queries_for_20_rows_as_for_1(program):
    assert queries_grow(program, "reservations/", make_reservation) == 0
    assert queries_grow(program, "charging-profiles/", make_profile) == 0
