"""The forms of charging operations: what a person fills in becomes what OCPP wants."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_redis import get_redis_connection

from evcharging.ocpp16_schemas import request_error
from stations.models import Command, Station
from stations.selectors import presence_key
from tests.support.factories import make_id_tag, make_station, start, transaction_of
from transactions.models import ChargingProfile, Reservation

pytestmark = pytest.mark.django_db


@pytest.fixture
def station() -> Station:
    row = make_station("A", connected_at=timezone.now())
    get_redis_connection("default").set(presence_key(row.pk), row.connection_epoch)
    return row


def send(admin_client: Any, station: Station, name: str, **filled: Any) -> Any:
    """Fill in a form; return the command, or what the form says instead."""
    url = f"/admin/stations/station/{station.pk}/commands/{name}/"
    assert admin_client.get(url).status_code == 200
    response = admin_client.post(url, {"waits_s": "0", **filled})
    if response.status_code != 302:
        return response.content.decode()
    command = Command.objects.latest("number")
    assert request_error(command.action, command.payload) is None
    return command


def test_remote_start_with_a_limit(admin_client, station):
    make_id_tag("TAG")
    command = send(admin_client, station, "start_charging", id_tag="TAG", connector_id="2", limit="21.4", unit="A")
    assert command.payload["connectorId"] == 2
    (period,) = command.payload["chargingProfile"]["chargingSchedule"]["chargingSchedulePeriod"]
    assert period == {"startPeriod": 0, "limit": 21.4}
    said = send(admin_client, station, "start_charging", id_tag="TAG", limit="10", unit="A")
    assert "a remote start with a profile names its connector" in said


def test_remote_stop_offers_what_is_open(admin_client, station):
    make_id_tag("TAG")
    row = transaction_of(start(station))
    command = send(admin_client, station, "stop_charging", transaction_ref=str(row.transaction_id))
    assert command.payload == {"transactionId": row.transaction_id}
    assert "Select a valid choice" in send(admin_client, station, "stop_charging", transaction_ref="999999")


def test_reservation_is_made_and_cancelled(admin_client, station):
    make_id_tag("TAG")
    until = f"{timezone.now() + timedelta(hours=2):%Y-%m-%dT%H:%M}"
    command = send(admin_client, station, "reserve", id_tag="TAG", connector_id="1", expires_at=until)
    row = Reservation.objects.get(command=command)
    assert (row.connector_id, row.id_tag, row.created_by) == (1, "TAG", "admin")
    cancel = send(admin_client, station, "cancel_reservation", reservation_id=str(row.reservation_id))
    assert cancel.payload == {"reservationId": row.reservation_id}


def test_charging_profile_of_several_periods(admin_client, station):
    command = send(
        admin_client, station, "set_charging_profile", connector_id="0", profile_purpose="ChargePointMaxProfile",
        kind="Recurring", recurrency="Daily", stack_level="1", start_schedule="2026-12-01T00:00", duration="86400",
        unit="A", periods="0 32.0\n25200 21.4 3\n",
    )  # fmt: skip
    row = ChargingProfile.objects.get(command=command)
    assert (row.purpose, row.kind, row.recurrency_kind, row.stack_level) == (
        "ChargePointMaxProfile", "Recurring", "Daily", 1,
    )  # fmt: skip
    assert row.schedule == {
        "unit": "A",
        "duration_s": 86400,
        "starts_at": "2026-12-01T00:00:00Z",
        "periods": [{"starts_s": 0, "limit": 32.0}, {"starts_s": 25200, "limit": 21.4, "phases": 3}],
    }  # fmt: skip


@pytest.mark.parametrize("periods", ["", "x", "0", "0 a", "5 10"])
def test_periods_that_mean_nothing_stay_on_the_form(admin_client, station, periods):
    said = send(
        admin_client, station, "set_charging_profile", connector_id="0", profile_purpose="TxDefaultProfile",
        kind="Absolute", stack_level="0", start_schedule="2026-12-01T00:00", unit="A", periods=periods,
    )  # fmt: skip
    assert isinstance(said, str)
    assert Command.objects.count() == 0


def test_clearing_and_composite_schedule(admin_client, station):
    command = send(admin_client, station, "clear_charging_profiles", connector_id="1", purpose_of_profile="TxProfile")
    assert command.payload == {"connectorId": 1, "chargingProfilePurpose": "TxProfile"}
    assert send(admin_client, station, "clear_charging_profiles").payload == {}
    command = send(admin_client, station, "read_composite_schedule", connector_id="1", duration_s="60", unit="W")
    assert command.payload == {"connectorId": 1, "duration": 60, "chargingRateUnit": "W"}
