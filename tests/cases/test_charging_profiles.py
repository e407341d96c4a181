"""Charging profiles (case 56): exact frames, what is refused before it is sent, and what a station then has."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from id_tags.models import IdTag
from stations.models import Command, ConfigurationKey, Station
from stations.services.commands import CommandRefused
from stations.types import Origin
from tests.support.charger import Charger
from tests.support.commanding import draft_of, request_frame
from tests.support.payloads import start, stop
from tests.support.waiting import until
from transactions.models import ChargingProfile, CompositeSchedule
from transactions.services.charging_profiles import request_set_charging_profile

AT = "2030-01-01T00:00:00Z"


def profile(limit: Any = 16.0, **fields: Any) -> dict[str, Any]:
    schedule = {
        "startSchedule": AT,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
    } | fields.pop("schedule", {})
    defaults = {
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {name: value for name, value in schedule.items() if value is not None},
    }
    return defaults | fields


def period(start: int, limit: float = 1.0) -> dict[str, Any]:
    return {"startPeriod": start, "limit": limit}


def set_profile(station: Station, connector_id: int = 1, **fields: Any) -> Command:
    return request_set_charging_profile(
        station_id=station.pk,
        connector_id=connector_id,
        profile=draft_of(profile(**fields)),
        origin=Origin("anna", "shell", datetime.now(UTC), waits_s=30),
    )


def request(station: Station, action: str, payload: dict[str, Any]) -> Command:
    return request_frame(
        station_id=station.pk, action=action, payload=payload, requested_by="anna", via="shell", now=datetime.now(UTC)
    )


def answered(charger: Charger, command: Command, payload: Any) -> str:
    """Take the CALL, answer it, and return its text."""
    text = str(charger.socket.recv(timeout=20))
    frame = json.loads(text)
    assert frame == [2, str(command.pk), command.action, command.payload]
    charger.send(json.dumps([3, frame[1], payload]))
    until(lambda: Command.objects.get(pk=command.pk).has_ended, True)
    return text


def state(command: Command) -> str:
    return ChargingProfile.objects.get(command=command).status


@pytest.mark.parametrize("limit", [21.4, 0.1, 6, 32.0, 0, 1000000.7])
def test_limit_is_sent_exactly(charger: Charger, station: Station, limit: float) -> None:
    command = set_profile(station, limit=limit)
    text = answered(charger, command, {"status": "Accepted"})
    assert f'"limit":{json.dumps(limit)}' in text
    row = ChargingProfile.objects.get(command=command)
    assert (row.status, row.schedule["periods"][0]["limit"]) == ("active", limit)


@pytest.mark.parametrize("word", ["Rejected", "NotSupported"])
def test_profile_that_is_refused_is_not_there(charger: Charger, station: Station, word: str) -> None:
    command = set_profile(station)
    answered(charger, command, {"status": word})
    row = ChargingProfile.objects.get(command=command)
    assert (row.status, row.result_status) == ("refused", word)


def test_profile_that_is_answered_with_an_error_is_not_there(charger: Charger, station: Station) -> None:
    command = set_profile(station)
    charger.receive()
    charger.send(json.dumps([4, str(command.pk), "NotImplemented", "", {}]))
    until(lambda: Command.objects.get(pk=command.pk).status, "call_error")
    row = ChargingProfile.objects.get(command=command)
    assert (row.status, row.result_status) == ("refused", "NotImplemented")


def test_profile_without_an_answer_may_be_there(charger: Charger, station: Station) -> None:
    Station.objects.filter(pk=station.pk).update(call_timeout_s=0.3)
    command = set_profile(station)
    charger.receive()
    until(lambda: Command.objects.get(pk=command.pk).status, "timed_out")
    charger.send(json.dumps([3, str(command.pk), {"status": "Accepted"}]))
    until(lambda: Command.objects.get(pk=command.pk).late_answer, {"status": "Accepted"})
    row = ChargingProfile.objects.get(command=command)
    assert (row.status, row.result_status) == ("requested", "no answer")
    Station.objects.filter(pk=station.pk).update(call_timeout_s=None)
    answered(charger, request(station, "ClearChargingProfile", {"connectorId": 1}), {"status": "Accepted"})
    assert state(command) == "cleared"


def test_profile_of_the_same_place_is_replaced(charger: Charger, station: Station) -> None:
    first = set_profile(station)
    answered(charger, first, {"status": "Accepted"})
    elsewhere = set_profile(station, connector_id=2)
    answered(charger, elsewhere, {"status": "Accepted"})
    second = set_profile(station, limit=10.0)
    answered(charger, second, {"status": "Accepted"})
    assert [state(first), state(elsewhere), state(second)] == ["replaced", "active", "active"]


def test_tx_profile_is_for_the_open_transaction_and_ends_with_it(
    charger: Charger, station: Station, tag: IdTag
) -> None:
    fields = {
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Relative",
        "schedule": {"startSchedule": None},
    }
    with pytest.raises(CommandRefused):
        set_profile(station, **fields)
    transaction_id = charger.result("StartTransaction", start(tag.id_tag))["transactionId"]
    command = set_profile(station, **fields)
    assert command.payload["csChargingProfiles"]["transactionId"] == transaction_id
    answered(charger, command, {"status": "Accepted"})
    assert state(command) == "active"
    charger.result("StopTransaction", stop(transaction_id))
    until(lambda: state(command), "ended")


@pytest.mark.parametrize(
    ("connector_id", "fields"),
    [
        (1, {"chargingProfilePurpose": "ChargePointMaxProfile"}),
        (0, {"chargingProfilePurpose": "TxProfile"}),
        (1, {"transactionId": 5}),
        (1, {"chargingProfileKind": "Recurring"}),
        (1, {"recurrencyKind": "Daily"}),
        (1, {"chargingProfileKind": "Relative"}),
        (1, {"schedule": {"startSchedule": None}}),
        (1, {"limit": 21.45}),
        (1, {"limit": -1}),
        (1, {"stackLevel": -1}),
        (1, {"validFrom": AT, "validTo": "2029-01-01T00:00:00Z"}),
        (1, {"schedule": {"duration": 0}}),
        (1, {"schedule": {"chargingSchedulePeriod": []}}),
        (1, {"schedule": {"chargingSchedulePeriod": [{"startPeriod": 5, "limit": 1}]}}),
        (1, {"schedule": {"chargingSchedulePeriod": [period(0), period(0)]}}),
        (1, {"schedule": {"chargingSchedulePeriod": [{"startPeriod": 0, "limit": 1, "numberPhases": 4}]}}),
        (1, {"schedule": {"duration": 60, "chargingSchedulePeriod": [period(0), period(60)]}}),
        (1, {"schedule": {"minChargingRate": 0.15}}),
    ],
)  # fmt: skip
def test_profile_against_the_rules_is_refused(station: Station, connector_id: int, fields: dict[str, Any]) -> None:
    with pytest.raises(CommandRefused):
        set_profile(station, connector_id, **fields)
    assert Command.objects.filter(station=station).count() == 0
    assert ChargingProfile.objects.filter(station=station).count() == 0


@pytest.mark.parametrize(
    ("key", "value", "fields"),
    [
        ("ChargeProfileMaxStackLevel", "0", {"stackLevel": 1}),
        ("ChargingScheduleAllowedChargingRateUnit", "Power", {}),
        (
            "ChargingScheduleMaxPeriods",
            "1",
            {"schedule": {"chargingSchedulePeriod": [{"startPeriod": 0, "limit": 1}, {"startPeriod": 9, "limit": 2}]}},
        ),
    ],
)
def test_stations_own_limits_count(station: Station, key: str, value: str, fields: dict[str, Any]) -> None:
    set_profile(station, **fields)
    ConfigurationKey.objects.create(station=station, key=key, value=value, read_at=datetime.now(UTC))
    with pytest.raises(CommandRefused):
        set_profile(station, **fields)


def test_clearing_means_what_all_of_it_fits(charger: Charger, station: Station) -> None:
    commands = [set_profile(station, 1), set_profile(station, 1, stackLevel=1), set_profile(station, 2)]
    for command in commands:
        answered(charger, command, {"status": "Accepted"})
    answered(
        charger, request(station, "ClearChargingProfile", {"connectorId": 1, "stackLevel": 1}), {"status": "Accepted"}
    )
    assert [state(command) for command in commands] == ["active", "cleared", "active"]
    first = ChargingProfile.objects.get(command=commands[0])
    cleared = request(station, "ClearChargingProfile", {"id": first.charging_profile_id})
    answered(charger, cleared, {"status": "Unknown"})
    assert [state(command) for command in commands] == ["cleared", "cleared", "active"]
    answered(charger, request(station, "ClearChargingProfile", {}), {"status": "Accepted"})
    assert [state(command) for command in commands] == ["cleared"] * 3


def test_composite_schedule_is_kept(charger: Charger, station: Station) -> None:
    command = request(station, "GetCompositeSchedule", {"connectorId": 1, "duration": 600})
    schedule = {
        "chargingRateUnit": "A",
        "duration": 600,
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 21.4}],
    }
    answered(
        charger,
        command,
        {"status": "Accepted", "connectorId": 1, "scheduleStart": AT, "chargingSchedule": schedule},
    )
    row = CompositeSchedule.objects.get(command=command)
    kept = {"unit": "A", "duration_s": 600, "periods": [{"starts_s": 0, "limit": 21.4}]}
    assert (row.connector_id, row.schedule, row.starts_at) == (1, kept, datetime(2030, 1, 1, tzinfo=UTC))
    refused = request(station, "GetCompositeSchedule", {"connectorId": 1, "duration": 600})
    answered(charger, refused, {"status": "Rejected"})
    assert CompositeSchedule.objects.filter(station=station).count() == 1
