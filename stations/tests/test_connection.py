"""Who may connect, and who owns a station."""

from datetime import timedelta

import pytest

from stations.models import RefusalReason, RegistrationStatus, Station
from stations.passwords import hash_password
from stations.services import (
    Credentials,
    connect_station,
    disconnect_station,
    owns_station,
    touch_stations,
)
from tests.factories import NOON, make_station

pytestmark = pytest.mark.django_db
KEY = "00112233445566778899aabbccddeeff"


def connect(identity="CP", **fields):
    defaults = {
        "credentials": None,
        "has_subprotocol": True,
        "remote_address": "192.0.2.1",
        "gateway_channel": "gateway!a",
        "now": NOON,
    }
    return connect_station(identity=identity, **(defaults | fields))


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
    assert disconnect_station(station_id=station.pk, epoch=old.station.epoch, now=NOON) is False
    assert Station.objects.get().is_online
    assert disconnect_station(station_id=station.pk, epoch=new.station.epoch, now=NOON) is True
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
    assert connect(has_subprotocol=False).refusal == RefusalReason.NO_SUBPROTOCOL
    Station.objects.filter(pk=station.pk).update(assume_ocpp16=True)
    assert connect(has_subprotocol=False).refusal is None


def test_touch_writes_last_seen_and_drift_for_owners_only():
    mine, lost = make_station(), make_station()
    later = NOON + timedelta(minutes=1)
    statuses = touch_stations(seen={mine.pk: (1, later, 2.5), lost.pk: (0, later, None)})
    assert statuses == {mine.pk: "Accepted"}
    mine.refresh_from_db()
    lost.refresh_from_db()
    assert (mine.last_seen_at, mine.clock_drift_s, lost.last_seen_at) == (later, 2.5, None)
