"""What chargers send as a time, as raw frames on a real socket."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.models import Connector
from id_tags.models import IdTag
from stations.models import Station
from tests.support.bad_input import assert_serves
from tests.support.charger import Charger
from tests.support.factories import make_station
from tests.support.payloads import start, status, stop
from transactions.models import Mark, Transaction

Plug = Callable[..., Charger]
NOT_A_TIME = [
    "", " ", "0", "now", "2024-02-30T00:00:00Z", "2024-13-01T00:00:00Z", "0000-00-00T00:00:00Z",
    "10000-01-01T00:00:00Z", "2024-05-06T07:08:09+24:00", "1714979289", "1714979289000",
    "Mon, 06 May 2024 07:08:09 GMT", "06/05/2024 07:08:09", "06.05.2024 07:08", "2024-W19-1T07:08:09Z",
    "2024-127T07:08:09Z", "٢٠٢٤-٠٥-٠٦T07:08:09Z", "2024-05-06T07:08:09Z\x00", "2024-05-06T25:00:00Z",
    "2024-05-06T07:61:00Z", "-2024-05-06T07:08:09Z", "2024-05-06T07:08:09.Z\n\n;", 1714979289, 1714979289.5, None,
    True, [], {}, "x" * 1000,
]  # fmt: skip


def at(*parts: int, micros: int = 0) -> datetime:
    return datetime(*parts, microsecond=micros, tzinfo=UTC)  # type: ignore[arg-type,misc]


MEANT = at(2024, 5, 6, 7, 8, 9)
TIMES = {
    # RFC 3339
    "2024-05-06T07:08:09Z": MEANT,
    "2024-05-06T07:08:09z": MEANT,
    "2024-05-06t07:08:09z": MEANT,
    "2024-05-06T07:08:09.1Z": MEANT.replace(microsecond=100_000),
    "2024-05-06T07:08:09.12Z": MEANT.replace(microsecond=120_000),
    "2024-05-06T07:08:09.123Z": MEANT.replace(microsecond=123_000),
    "2024-05-06T07:08:09.1234Z": MEANT.replace(microsecond=123_400),
    "2024-05-06T07:08:09.123456Z": MEANT.replace(microsecond=123_456),
    "2024-05-06T07:08:09.1234567Z": MEANT.replace(microsecond=123_456),
    "2024-05-06T07:08:09.123456789Z": MEANT.replace(microsecond=123_456),
    "2024-05-06T07:08:09.123456789+00:00": MEANT.replace(microsecond=123_456),
    "2024-05-06T21:08:09+14:00": MEANT,
    "2024-05-05T19:08:09-12:00": MEANT,
    "2024-05-06T12:38:09+05:30": MEANT,
    "2024-05-06T07:08:09-00:00": MEANT,
    "1970-01-01T00:00:00Z": at(1970, 1, 1),
    "2000-01-01T00:00:00Z": at(2000, 1, 1),
    "2038-01-19T03:14:08Z": at(2038, 1, 19, 3, 14, 8),
    "2106-02-07T06:28:16Z": at(2106, 2, 7, 6, 28, 16),
    "9999-12-31T23:59:59Z": at(9999, 12, 31, 23, 59, 59),
    "0001-01-01T00:00:00Z": at(1, 1, 1),
    # in the station's zone, here UTC
    "2024-05-06T07:08:09": MEANT,  # Growatt
    "2024-05-06T07:08:09.377": MEANT.replace(microsecond=377_000),  # AEFA
    "2024-05-06 07:08:09": MEANT,
    "2024-05-06T07:08": MEANT.replace(second=0),
    "2024-05-06": at(2024, 5, 6),
    "20240506T070809": MEANT,
    # other spellings
    "2024-05-06T09:08:09+02": MEANT,  # Monta
    "2024-05-06T09:08:09+0200": MEANT,
    "2024-05-06 07:08:09Z": MEANT,
    "2024-05-06T07:08Z": MEANT.replace(second=0),
    "20240506T070809Z": MEANT,
    "2024-05-06T07:08:09,123Z": MEANT.replace(microsecond=123_000),
    "2024-05-06T24:00:00Z": at(2024, 5, 7),
    "2016-12-31T23:59:60Z": at(2017, 1, 1),
    " 2024-05-06T07:08:09Z ": MEANT,
    # the edges of the calendar
    "9999-12-31T23:59:59-01:00": datetime.max.replace(tzinfo=UTC),
    "0001-01-01T00:00:00+02:00": datetime.min.replace(tzinfo=UTC),
}


def test_timestamps_are_read(charger: Charger, station: Station) -> None:
    """What ISO 8601 allows and what chargers make of it; the reported time is kept, whatever is made of it."""
    for number, timestamp in enumerate(TIMES, 1):
        assert charger.result("StatusNotification", status(number, "Available", timestamp=timestamp)) == {}
    rows = Connector.objects.filter(station=station).order_by("connector_id")
    assert dict(zip(TIMES, rows.values_list("status_reported_at", flat=True), strict=True)) == TIMES
    assert_serves(charger)


def test_what_is_no_timestamp_is_replaced_by_the_time_of_receipt(charger: Charger, station: Station) -> None:
    before = datetime.now(UTC)
    for number, timestamp in enumerate(NOT_A_TIME, 1):
        assert charger.result("StatusNotification", status(number, "Available", timestamp=timestamp)) == {}, timestamp
    rows = Connector.objects.filter(station=station).order_by("connector_id")
    assert list(rows.values_list("status_reported_at", flat=True)) == [None] * len(NOT_A_TIME)
    assert all(before <= row.status_at <= datetime.now(UTC) for row in rows if row.status_at)
    assert_serves(charger)


def test_naive_timestamps_are_in_the_stations_zone(plug: Plug, orm: None) -> None:
    station = make_station(time_zone="Europe/Berlin")
    charger = plug(station)
    for number, timestamp in enumerate(["2024-07-01T12:00:00", "2024-01-01 12:00", "2024-07-01T12:00:00Z"], 1):
        assert charger.result("StatusNotification", status(number, "Available", timestamp=timestamp)) == {}
    rows = Connector.objects.filter(station=station).order_by("connector_id")
    assert list(rows.values_list("status_reported_at", flat=True)) == [
        at(2024, 7, 1, 10), at(2024, 1, 1, 11), at(2024, 7, 1, 12),
    ]  # fmt: skip


@pytest.mark.parametrize("timestamp", ["now", "0000-00-00T00:00:00Z", 1714979289, None, "1970-01-01T00:00:05Z"])
def test_transaction_without_a_usable_time_counts_from_receipt(charger: Charger, tag: IdTag, timestamp: Any) -> None:
    before = datetime.now(UTC)
    answer = charger.result("StartTransaction", start(tag.id_tag) | {"timestamp": timestamp})
    assert answer["idTagInfo"] == {"status": "Accepted"}
    assert charger.result("StopTransaction", stop(answer["transactionId"]) | {"timestamp": timestamp}) == {}
    row = Transaction.objects.get(transaction_id=answer["transactionId"])
    assert row.stopped_at is not None
    assert before <= row.started_at <= row.stopped_at <= datetime.now(UTC)
    assert [row.energy_wh, row.marks] == [5000.0, [Mark.CLOCK_UNSET]]


def test_transaction_in_the_future_counts_from_receipt(charger: Charger, tag: IdTag) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    answer = charger.result("StartTransaction", start(tag.id_tag, at=tomorrow))
    row = Transaction.objects.get(transaction_id=answer["transactionId"])
    assert row.marks == [Mark.FUTURE_TIME]
    assert row.started_at == row.start_received_at
    assert row.start_reported_at == tomorrow.replace(microsecond=0)
