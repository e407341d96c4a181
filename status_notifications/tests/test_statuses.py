"""Status history and the connectors that follow it."""

from datetime import timedelta

import pytest

from connectors.models import Connector
from stations.models import Station
from status_notifications.models import StatusCode, StatusNotification
from status_notifications.services.statuses import StatusMessage, record_statuses
from status_notifications.types import StatusReport
from tests.support.factories import NOON, make_station, received

pytestmark = [pytest.mark.django_db, pytest.mark.storage]


def message(station, status="Available", *, at=NOON, received_at=None, connector_id=1, error="NoError", **words):
    report = StatusReport(
        connector_id,
        status,
        error,
        words.get("info", ""),
        words.get("vendor_id", ""),
        words.get("vendor_error", ""),
        at,
    )
    return StatusMessage(received(station, received_at or at or NOON), report)


def test_status_is_kept_and_sets_its_connector():
    station = make_station()
    record_statuses(messages=[message(station, "Faulted", error="GroundFailure", vendor_error="E42", info="wet")])
    row, connector = StatusNotification.objects.get(), Connector.objects.get()
    assert (row.status, row.error_code, row.vendor_error_code) == (StatusCode.FAULTED, "GroundFailure", "E42")
    assert (connector.status, connector.vendor_error_code, connector.info) == ("Faulted", "E42", "wet")
    record_statuses(messages=[message(station, "Available", at=NOON + timedelta(minutes=1))])
    connector.refresh_from_db()
    assert (connector.status, connector.error_code, connector.vendor_error_code) == ("Available", "NoError", "")


def test_status_sent_again_is_there_once():
    station = make_station()
    for _ in range(3):
        record_statuses(messages=[message(station), message(station)])
    assert StatusNotification.objects.count() == 1


def test_status_that_is_older_does_not_roll_a_connector_back():
    station = make_station()
    record_statuses(messages=[message(station, "Charging")])
    record_statuses(messages=[message(station, "Available", at=NOON - timedelta(minutes=1), received_at=NOON)])
    assert Connector.objects.get().status == "Charging"
    assert StatusNotification.objects.count() == 2


def test_statuses_out_of_order_in_one_batch_end_at_the_latest():
    station = make_station()
    batch = [message(station, "Charging"), message(station, "Available", at=NOON - timedelta(minutes=1))]
    record_statuses(messages=batch)
    assert Connector.objects.get().status == "Charging"


def test_statuses_of_six_stations_at_one_instant_are_six_rows():
    stations = [make_station() for _ in range(6)]
    assert record_statuses(messages=[message(station, connector_id=0) for station in stations]) == [True] * 6
    assert StatusNotification.objects.count() == Connector.objects.count() == 6


def test_status_without_time_counts_from_receipt():
    station = make_station()
    record_statuses(messages=[message(station, at=None, received_at=NOON)])
    row = StatusNotification.objects.get()
    assert (row.effective_at, row.reported_at) == (NOON, None)


def test_status_of_a_superseded_connection_is_not_stored():
    station = make_station()
    batch = [message(station)]
    Station.objects.update(connection_epoch=2)
    assert record_statuses(messages=batch) == [False]
    assert StatusNotification.objects.count() == 0


def test_only_the_newest_connection_of_a_batch_is_heard():
    station, other = make_station(), make_station()
    old = message(station, "Faulted")
    station.connection_epoch += 1
    station.save(update_fields=["connection_epoch"])
    new = message(station, "Charging")
    assert record_statuses(messages=[old, new, message(other), old]) == [False, True, True, False]
    assert set(StatusNotification.objects.values_list("station", "status")) == {
        (station.pk, StatusCode.CHARGING),
        (other.pk, StatusCode.AVAILABLE),
    }
    assert Connector.objects.get(station=station).status == "Charging"


@pytest.mark.parametrize("word", ["Occupied", "x" * 50])
def test_status_without_a_code_is_kept_in_its_word(word):
    station = make_station()
    record_statuses(messages=[message(station, word), message(station, word)])
    row, connector = StatusNotification.objects.get(), Connector.objects.get()
    assert (row.status, row.other_status, row.word, connector.status) == (StatusCode.OTHER, word, word, word)
    record_statuses(messages=[message(station, "Charging", at=NOON + timedelta(minutes=1))])
    row = StatusNotification.objects.get(status=StatusCode.CHARGING)
    assert (row.other_status, row.word) == ("", "Charging")
