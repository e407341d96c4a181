"""Who may connect, and who owns a station."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from stations.models import Boot, RefusalReason, RegistrationStatus, Station
from stations.passwords import hash_password
from stations.services.connection import (
    Attempt,
    Credentials,
    Leave,
    connect_known_stations,
    connect_station,
    disconnect_stations,
    owns_station,
    touch_stations,
)
from stations.services.reports import BootMessage, record_boots
from stations.types import BootReport
from tests.support.factories import NOON, make_station

pytestmark = pytest.mark.django_db
BOOT = BootReport("Acme", "X", "", "", "2", "", "", "", "")
KEY = "00112233445566778899aabbccddeeff"


def connect(identity="CP", **fields):
    defaults = {
        "credentials": None,
        "version": "ocpp1.6",
        "remote_address": "192.0.2.1",
        "gateway_channel": "gateway!a",
        "now": NOON,
    }
    attempt = Attempt(identity=identity, **(defaults | fields))
    (admission,) = connect_known_stations(attempts=[attempt])  # as the gateway does
    return admission or connect_station(**attempt._asdict())


def test_connect_makes_each_connection_the_owner_in_turn():
    station = make_station("CP", connection_epoch=0)
    first, second = connect(), connect(gateway_channel="gateway!b")
    assert (first.station.epoch, first.previous_channel) == (1, "")
    assert (second.station.epoch, second.previous_channel) == (2, "gateway!a")
    assert not owns_station(station_id=station.pk, epoch=1)
    assert owns_station(station_id=station.pk, epoch=2)


def test_disconnect_of_an_old_connection_leaves_the_station_online():
    station = make_station("CP", connection_epoch=0)
    old, new = connect(), connect()
    assert disconnect_stations(leaves=[Leave(station.pk, old.station.epoch, NOON)]) == [False]
    assert Station.objects.get().is_online
    assert disconnect_stations(leaves=[Leave(station.pk, new.station.epoch, NOON)]) == [True]
    assert not Station.objects.get().is_online


def test_connect_with_identity_in_other_case_is_the_same_station():
    make_station("Cp-1", connection_epoch=0)
    assert connect("CP-1").station.identity == "Cp-1"


@pytest.mark.parametrize(
    ("enrolment", "status"), [("pending", RegistrationStatus.PENDING), ("open", RegistrationStatus.ACCEPTED)]
)
def test_connect_of_an_unknown_identity_is_enrolled_as_configured(settings, enrolment, status):
    settings.OCPP_ENROLMENT = enrolment
    assert connect("NEW").station.registration_status == status
    assert connect("NEW").station.epoch == 2


def test_connect_of_an_unknown_identity_is_refused_when_enrolment_is_closed_or_full(settings):
    settings.OCPP_ENROLMENT = "closed"
    assert connect("NEW").refusal == RefusalReason.UNKNOWN_IDENTITY
    settings.OCPP_ENROLMENT = "pending"
    settings.PENDING_STATIONS_MAX = 1
    assert connect("ONE").refusal is None
    assert connect("TWO").refusal == RefusalReason.ENROLMENT_FULL


@pytest.mark.parametrize(
    ("username", "password", "refusal"),
    [
        (b"CP", KEY.encode(), None),
        (b"cp", KEY.upper().encode(), None),
        (b"CP", bytes.fromhex(KEY), None),
        (b"CP", b"wrong", RefusalReason.WRONG_PASSWORD),
        (b"CP", b"\xff\xfe:" * 8, RefusalReason.WRONG_PASSWORD),
        (b"OTHER", KEY.encode(), RefusalReason.WRONG_USERNAME),
    ],
)
def test_connect_with_password(username, password, refusal):
    make_station("CP", password_hash=hash_password(KEY))
    assert connect(credentials=Credentials(username, password)).refusal == refusal


def test_connect_without_the_password_that_is_set_is_refused():
    make_station("CP", password_hash=hash_password(KEY))
    assert connect().refusal == RefusalReason.NO_CREDENTIALS


def test_connect_without_subprotocol_is_refused_unless_assumed():
    station = make_station("CP")
    assert connect(version="").refusal == RefusalReason.NO_SUBPROTOCOL
    Station.objects.filter(pk=station.pk).update(assumed_version="ocpp1.6")
    assert connect(version="").refusal is None


def test_touch_writes_last_seen_and_drift_for_owners_only():
    mine, lost = make_station(), make_station()
    later = NOON + timedelta(minutes=1)
    statuses = touch_stations(seen={mine.pk: (1, later, 2.5), lost.pk: (0, later, None)})
    assert statuses == {mine.pk: "Accepted"}
    mine.refresh_from_db()
    lost.refresh_from_db()
    assert (mine.last_seen_at, mine.clock_drift_s, lost.last_seen_at) == (later, 2.5, None)


# A fleet that comes all at once


def attempt(identity: str, **fields) -> Attempt:
    defaults = {
        "credentials": None,
        "version": "ocpp1.6",
        "remote_address": "192.0.2.1",
        "gateway_channel": "gateway!a",
        "now": NOON,
    }
    return Attempt(identity=identity, **(defaults | fields))


def test_batch_admits_whoever_comes_with_all_they_need():
    make_station("A", connection_epoch=4, connected_at=NOON, gateway_channel="gateway!b")
    make_station("B", connection_epoch=0, password_hash=hash_password(KEY))
    make_station("C", connection_epoch=0, password_hash=hash_password(KEY))
    attempts = [
        attempt("c"),
        attempt("unknown"),
        attempt("a", remote_address="192.0.2.7"),
        attempt("A"),
        attempt("B", credentials=Credentials(b"B", KEY.encode())),
        attempt("C", credentials=Credentials(b"C", b"wrong")),
    ]
    admissions = connect_known_stations(attempts=attempts)
    assert [admission is not None for admission in admissions] == [False, False, True, False, True, False]
    assert (admissions[2].station.identity, admissions[2].station.epoch) == ("A", 5)
    assert admissions[2].previous_channel == "gateway!b"
    assert admissions[4].station.epoch == 1
    assert Station.objects.get(identity="A").remote_address == "192.0.2.7"
    assert list(Station.objects.order_by("identity").values_list("connection_epoch", flat=True)) == [5, 1, 0]


def test_batch_costs_as_many_statements_as_one():
    def statements(*identities: str) -> int:
        for identity in identities:
            make_station(identity)
        with CaptureQueriesContext(connection) as queries:
            admissions = connect_known_stations(attempts=[attempt(identity) for identity in identities])
            leaves = [Leave(each.station.station_id, each.station.epoch, NOON) for each in admissions]
            assert disconnect_stations(leaves=leaves) == [True] * len(identities)
            messages = [BootMessage(leave.station_id, BOOT, {}, NOON) for leave in leaves]
            assert {answer.status for answer in record_boots(messages=messages)} == {"Accepted"}
        return len(queries)

    assert statements("A") == statements("B", "C", "D", "E")


def test_leave_of_an_old_connection_costs_the_others_nothing():
    stations = [make_station(identity) for identity in "AB"]
    leaves = [Leave(stations[0].pk, 0, NOON), Leave(stations[1].pk, 1, NOON), Leave(stations[0].pk, 1, NOON)]
    assert disconnect_stations(leaves=leaves) == [False, True, True]


def test_boots_of_a_batch_are_each_stations_own():
    stations = [make_station(identity, heartbeat_interval_s=number) for number, identity in enumerate("ABC", start=7)]
    Station.objects.filter(identity="C").update(
        firmware_version="1", last_boot_at=NOON - timedelta(seconds=9), configuration_requested_at=NOON
    )
    Station.objects.filter(identity="A").update(configuration_requested_at=NOON, **BOOT._asdict())
    messages = [
        BootMessage(station.pk, BOOT._replace(firmware_version=version), {"v": version}, NOON)
        for station, version in zip(stations, ("2", "", "3"), strict=True)
    ]
    again = BootMessage(stations[2].pk, messages[2].report, {"v": "again"}, NOON + timedelta(seconds=1))
    answers = record_boots(messages=[*messages, again])
    assert [answer.interval_s for answer in answers] == [7, 8, 9, 9]
    booted = Boot.objects.order_by("station__identity").values_list("station__identity", "firmware_version", "payload")
    assert list(booted) == [("A", "2", {"v": "2"}), ("B", "", {"v": ""}), ("C", "3", {"v": "3"})]
    fresh = Station.objects.order_by("identity")
    assert [station.firmware_version for station in fresh] == ["2", "", "3"]
    assert [station.last_boot_at for station in fresh] == [NOON, NOON, NOON + timedelta(seconds=1)]
    assert [station.configuration_requested_at for station in fresh] == [NOON, None, None]
