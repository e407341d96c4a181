"""Charging profiles: what may be sent, and what stations then have, by their answers."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone

from stations.dialects import dialect_of
from stations.models import Command, Station
from stations.services.commands import CommandRefused
from stations.types import Origin
from tests.support.commanding import (
    answer,
    answered,
    draft_of,
    failed,
    make_online_station,
    profile_of,
    request,
    send,
    unanswered,
)
from tests.support.factories import make_id_tag, start, stop, transaction_of
from transactions.charging_rules import BadProfile, Limits, check_profile, read_instant
from transactions.models import ChargingProfile, CompositeSchedule, Transaction
from transactions.services.charging_profiles import limits_of, request_set_charging_profile

pytestmark = pytest.mark.django_db
AT = "2030-01-01T00:00:00Z"


@pytest.fixture
def station() -> Station:
    make_id_tag("TAG")
    return make_online_station()


def schedule(*limits: Any, **fields: Any) -> dict[str, Any]:
    periods = [{"startPeriod": 60 * number, "limit": limit} for number, limit in enumerate(limits or (16.0,))]
    values = {"startSchedule": AT, "chargingRateUnit": "A", "chargingSchedulePeriod": periods} | fields
    return {name: value for name, value in values.items() if value is not None}


def profile(**fields: Any) -> dict[str, Any]:
    defaults = {
        "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Absolute",
        "chargingSchedule": schedule(),
    }  # fmt: skip
    return defaults | fields


def limited(limit: Any) -> dict[str, Any]:
    return profile(chargingProfileId=1, chargingSchedule=schedule(limit))


TX = profile(
    chargingProfilePurpose="TxProfile",
    chargingProfileKind="Relative",
    chargingSchedule=schedule(startSchedule=None),
)


def set_profile(station: Station, connector_id: int = 1, **fields: Any) -> Command:
    return request_set_charging_profile(
        station_id=station.pk,
        connector_id=connector_id,
        profile=draft_of(profile(**fields)),
        origin=Origin("anna", "shell", timezone.now()),
    )


def clear(station: Station, **payload: Any) -> Command:
    return request(station, "ClearChargingProfile", payload)


def of(command: Command) -> ChargingProfile:
    return ChargingProfile.objects.get(command=command)


def states(*commands: Command) -> list[str]:
    return [of(command).status for command in commands]


def begin(station: Station, **fields: Any) -> Transaction:
    return transaction_of(start(station, **{"at": timezone.now(), **fields}))


# Rules, pure


@pytest.mark.parametrize("limit", [0, 0.0, 0.1, 6, 21.4, 32.0, 1e9, 999999999.9])
def test_limit_in_steps_of_a_tenth_passes(limit):
    check_profile(profile_of(limited(limit)), connector_id=1, limits=Limits())


@pytest.mark.parametrize("limit", [-0.1, 21.45, 21.40000000001, 1e30, 10**30, float("inf"), float("nan")])
def test_limit_that_is_none_is_refused(limit):
    with pytest.raises(BadProfile):
        check_profile(profile_of(limited(limit)), connector_id=1, limits=Limits())


def test_limit_that_is_no_number_is_no_argument():
    payload = {"connectorId": 1, "csChargingProfiles": limited("x")}
    assert dialect_of("").operation("SetChargingProfile", payload) is None


@pytest.mark.parametrize("purpose", ["ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"])
@pytest.mark.parametrize("kind", ["Absolute", "Recurring", "Relative"])
@pytest.mark.parametrize("connector_id", [0, 1])
def test_purpose_kind_and_connector_fit_together(purpose, kind, connector_id):
    given = profile(
        chargingProfileId=1,
        chargingProfilePurpose=purpose,
        chargingProfileKind=kind,
        chargingSchedule=schedule(startSchedule=None if kind == "Relative" else AT),
        **({"recurrencyKind": "Daily"} if kind == "Recurring" else {}),
    )
    fits = {
        "ChargePointMaxProfile": not connector_id and kind != "Relative", "TxDefaultProfile": True,
        "TxProfile": connector_id > 0,
    }[purpose]  # fmt: skip
    if fits:
        check_profile(profile_of(given), connector_id=connector_id, limits=Limits())
    else:
        with pytest.raises(BadProfile):
            check_profile(profile_of(given), connector_id=connector_id, limits=Limits())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (AT, datetime(2030, 1, 1, tzinfo=UTC)),
        ("2030-01-01t00:00:00z", datetime(2030, 1, 1, tzinfo=UTC)),
        ("2030-01-01T02:00:00+02:00", datetime(2030, 1, 1, tzinfo=UTC)),
        ("2030-01-01T00:00:00", datetime(2030, 1, 1, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", None),
        ("9999-12-31T23:59:59-01:00", None),
        ("0001-01-01T00:00:00+02:00", None),
        ("soon", None),
        (5, None),
        (None, None),
    ],
)
def test_instant_is_one_that_can_be_kept(text, expected):
    assert read_instant(text) == expected


@pytest.mark.parametrize(
    ("connector_id", "fields"),
    [
        (-1, {}),
        (2**31, {}),
        (1, {"chargingProfileId": -1}),
        (1, {"chargingProfileId": 2**31}),
        (1, {"stackLevel": 2**31}),
        (1, {"validFrom": "2016-12-31T23:59:60Z"}),
        (1, {"validTo": "9999-12-31T23:59:59-01:00"}),
        (1, {"validFrom": AT, "validTo": AT}),
        (1, {"chargingSchedule": schedule(1e30)}),
    ],
)
def test_profile_that_cannot_be_kept_is_refused(station, connector_id, fields):
    with pytest.raises(CommandRefused):
        set_profile(station, connector_id, **fields)
    assert (Command.objects.count(), ChargingProfile.objects.count()) == (0, 0)


# What stations answer


def test_profile_is_active_once_accepted(station):
    command = set_profile(station, validFrom="2030-01-01T00:00:00.5+01:00")
    assert states(command) == ["requested"]
    answered(command)
    row = of(command)
    assert (row.status, row.result_status, row.purpose, row.kind) == (
        "active", "Accepted", "TxDefaultProfile", "Absolute",
    )  # fmt: skip
    assert row.valid_from == datetime(2029, 12, 31, 23, 0, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize("word", ["Rejected", "NotSupported"])
def test_profile_that_is_refused_shows_the_word(station, word):
    row = of(answered(set_profile(station), word))
    assert (row.status, row.result_status) == ("refused", word)


def test_profile_that_the_station_does_not_understand_is_refused(station):
    row = of(failed(set_profile(station), "NotImplemented"))
    assert (row.status, row.result_status) == ("refused", "NotImplemented")


def test_profile_without_an_answer_may_be_there_all_the_same(station):
    first = unanswered(set_profile(station))
    assert (of(first).status, of(first).result_status) == ("requested", "no answer")
    second = answered(set_profile(station))
    assert states(first, second) == ["replaced", "active"]
    third = unanswered(set_profile(station, 2))
    answered(clear(station, connectorId=2))
    assert states(third) == ["cleared"]


def test_profile_of_the_same_place_or_id_gives_way(station):
    first, level = answered(set_profile(station)), answered(set_profile(station, stackLevel=1))
    other = answered(set_profile(station, 2))
    answered(set_profile(station), "Rejected")
    assert states(first, level, other) == ["active"] * 3
    same_place = answered(set_profile(station))
    same_id = answered(set_profile(station, 3, chargingProfileId=of(level).charging_profile_id))
    assert states(first, level, other, same_place, same_id) == ["replaced", "replaced", "active", "active", "active"]


def test_profile_of_another_station_stays(station):
    other = answered(set_profile(make_online_station()))
    answered(set_profile(station, chargingProfileId=of(other).charging_profile_id))
    answered(clear(station))
    assert states(other) == ["active"]


@pytest.mark.parametrize(
    ("payload", "cleared"),
    [
        ({}, {0, 1, 2}),
        ({"connectorId": 1}, {0, 1}),
        ({"connectorId": 1, "stackLevel": 1}, {1}),
        ({"chargingProfilePurpose": "ChargePointMaxProfile"}, set()),
        ({"chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 0}, {0, 2}),
        ({"connectorId": 0}, set()),
        ({"id": 2**40}, set()),
    ],
)
def test_clearing_means_what_all_of_it_fits(station, payload, cleared):
    commands = [set_profile(station), set_profile(station, stackLevel=1), set_profile(station, 2)]
    for command in commands:
        answered(command)
    ended = answered(clear(station, **payload))
    assert states(*commands) == ["cleared" if number in cleared else "active" for number in range(3)]
    assert ChargingProfile.objects.filter(cleared_by_command=ended).count() == len(cleared)


def test_clearing_that_failed_clears_nothing(station):
    command = answered(set_profile(station))
    failed(clear(station))
    unanswered(clear(station))
    assert states(command) == ["active"]


def test_clearing_does_not_reach_what_is_sent_after_it(station):
    earlier, clearing, later = set_profile(station), clear(station), set_profile(station)
    answered(earlier)
    answered(clearing)
    assert states(earlier, later) == ["cleared", "requested"]
    answered(later)
    assert states(later) == ["active"]


# TxProfiles


def test_tx_profile_names_the_open_transaction(station):
    with pytest.raises(CommandRefused, match="nobody charges on connector 1"):
        set_profile(station, **TX)
    row = begin(station)
    command = set_profile(station, **TX)
    assert command.payload["csChargingProfiles"]["transactionId"] == row.transaction_id
    assert of(command).transaction == row
    with pytest.raises(CommandRefused, match="the transaction that is open on its connector"):
        set_profile(station, **TX, transactionId=row.transaction_id + 1)
    with pytest.raises(CommandRefused, match="nobody charges on connector 2"):
        set_profile(station, 2, **TX)


def test_tx_profile_ends_with_its_transaction(station, django_capture_on_commit_callbacks):
    row = begin(station)
    held, unknown = answered(set_profile(station, **TX)), unanswered(set_profile(station, **TX | {"stackLevel": 1}))
    refused = answered(set_profile(station, **TX | {"stackLevel": 2}), "Rejected")
    with django_capture_on_commit_callbacks(execute=True):
        stop(station, transaction_id=row.transaction_id, at=timezone.now())
    assert states(held, unknown, refused) == ["ended", "ended", "refused"]


def test_tx_profile_ends_when_its_transaction_is_superseded(station, django_capture_on_commit_callbacks):
    begin(station)
    command = answered(set_profile(station, **TX))
    with django_capture_on_commit_callbacks(execute=True):
        begin(station, meter_start=5000)
    assert states(command) == ["ended"]


def test_tx_profile_accepted_after_the_end_is_over(station):
    row = begin(station)
    command = set_profile(station, **TX)
    send(command)
    stop(station, transaction_id=row.transaction_id, at=timezone.now())
    answer(command)
    assert states(command) == ["ended"]


# Composite schedules


def composite(station: Station, **response: Any) -> list[CompositeSchedule]:
    command = request(station, "GetCompositeSchedule", {"connectorId": 1, "duration": 600})
    answered(command, **response)
    return list(CompositeSchedule.objects.filter(command=command))


def test_composite_schedule_is_kept_in_words_of_the_domain(station):
    told = {"duration": 600, "chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 21.4}]}
    (row,) = composite(station, connectorId=1, scheduleStart=AT, chargingSchedule=told)
    kept = {"duration_s": 600, "unit": "W", "periods": [{"starts_s": 0, "limit": 21.4}]}
    assert (row.connector_id, row.schedule, row.starts_at) == (1, kept, datetime(2030, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("starts", ["9999-12-31T23:59:59-01:00", "soon", "", None, 5])
def test_composite_schedule_with_an_odd_start_has_none(station, starts):
    (row,) = composite(station, scheduleStart=starts, chargingSchedule={})
    row.refresh_from_db()
    assert row.starts_at is None


@pytest.mark.parametrize("response", [{}, {"chargingSchedule": None}, {"chargingSchedule": [1]}])
def test_composite_schedule_without_a_schedule_is_none(station, response):
    assert composite(station, **response) == []


@pytest.mark.parametrize("connector_id", [-1, 2**31])
def test_composite_schedule_of_no_connector_is_not_asked_for(station, connector_id):
    with pytest.raises(CommandRefused):
        request(station, "GetCompositeSchedule", {"connectorId": connector_id, "duration": 600})


def test_what_staff_insisted_on_is_nobodys_to_interpret(station):
    command = answered(set_profile(station))
    for action, payload in (
        ("ClearChargingProfile", {"id": "x"}), ("GetCompositeSchedule", {"connectorId": "x"}),
        ("SetChargingProfile", {}),
    ):  # fmt: skip
        odd = answered(request(station, action, payload, allows_invalid=True), chargingSchedule={})
        assert odd.error is None
    assert states(command) == ["active"]
    assert CompositeSchedule.objects.count() == 0


# Abilities


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("ChargeProfileMaxStackLevel", "0", Limits(max_stack_level=0)),
        ("chargeprofilemaxstacklevel", " 8 ", Limits(max_stack_level=8)),
        ("ChargeProfileMaxStackLevel", "many", Limits()),
        ("ChargeProfileMaxStackLevel", None, Limits()),
        ("ChargingScheduleMaxPeriods", "6", Limits(max_periods=6)),
        ("ChargingScheduleMaxPeriods", "0", Limits()),
        ("ChargingScheduleAllowedChargingRateUnit", "Current, Power", Limits(units=frozenset("AW"))),
        ("ChargingScheduleAllowedChargingRateUnit", "Current", Limits(units=frozenset("A"))),
        ("ChargingScheduleAllowedChargingRateUnit", "horses", Limits()),
    ],
)
def test_abilities_are_read_from_the_configuration(station, key, value, expected):
    station.configuration.create(key=key, value=value, read_at=timezone.now())
    assert limits_of(station) == expected
