"""Samples during and after a transaction, and their times, frame by frame: cases 23-26 and 31."""

from collections.abc import Callable
from datetime import timedelta

from id_tags.models import IdTag
from meter.models import MeterValue
from stations.models import Station
from status_notifications.models import StatusNotification
from tests.support.charger import Charger
from tests.support.payloads import ago, meter_values, sample, start, status, stop
from tests.support.sessions import samples_of, started, stored
from transactions.models import Mark

Plug = Callable[..., Charger]


def test_late_meter_values(charger: Charger, station: Station, tag: IdTag) -> None:
    """Case 23 (lbbrhzn#2075): the closing sample after the Stop is stored; nothing is reopened."""
    transaction_id = started(charger, tag.id_tag)
    assert charger.result("StopTransaction", stop(transaction_id, meter_stop=6000)) == {}
    payload = meter_values(sample("6001", context="Transaction.End"), transaction_id=transaction_id)
    assert charger.call("MeterValues", payload, "1") == [3, "1", {}]
    row = stored(transaction_id)
    assert [row.closing, row.meter_stop, row.energy_wh] == ["reported", 6000, 5000.0]
    assert samples_of(station) == [(6001.0, "Transaction.End", transaction_id)]


def test_clock_aligned_values_of_connector_0(charger: Charger, station: Station, tag: IdTag) -> None:
    """Case 24: the main meter's samples belong to no transaction, though one runs."""
    started(charger, tag.id_tag)
    payload = meter_values(sample("123456", context="Sample.Clock"), connector_id=0)
    assert charger.call("MeterValues", payload, "1") == [3, "1", {}]
    assert samples_of(station) == [(123456.0, "Sample.Clock", None)]
    assert MeterValue.objects.get(series__station=station).series.connector_id == 0


def test_transaction_data(charger: Charger, station: Station, tag: IdTag) -> None:
    """Case 25: a Stop with 100 values; all are the transaction's samples, also when it is sent again."""
    begin = ago(hours=1)
    transaction_id = started(charger, tag.id_tag, at=begin)
    data = [
        sample(str(1000 + number), begin + timedelta(seconds=10 * number), context="Sample.Periodic")
        for number in range(100)
    ]
    report = stop(transaction_id, meter_stop=1099, transactionData=data)
    assert charger.call("StopTransaction", report, "1") == [3, "1", {}]
    assert samples_of(station) == [(float(1000 + n), "Sample.Periodic", transaction_id) for n in range(100)]
    assert charger.call("StopTransaction", report, "2") == [3, "2", {}]
    assert MeterValue.objects.filter(series__station=station).count() == 100
    assert stored(transaction_id).energy_wh == 99.0


def test_meter_regression(charger: Charger, tag: IdTag) -> None:
    """Case 26 (ocpp-go#114): a register that ran backwards is answered and flagged; energy is never negative."""
    transaction_id = started(charger, tag.id_tag, meter_start=5000)
    assert charger.call("StopTransaction", stop(transaction_id, meter_stop=4000), "1") == [3, "1", {}]
    row = stored(transaction_id)
    assert [row.meter_stop, row.energy_wh, row.marks] == [4000, 0.0, [Mark.METER_REGRESSION]]


def test_millisecond_precision(charger: Charger, station: Station, tag: IdTag) -> None:
    """Case 31 (SteVe Issue1371): .123Z is read back as .123, wherever a time is stored."""
    at = ago(minutes=1).replace(microsecond=123_000)
    timestamp = f"{at:%Y-%m-%dT%H:%M:%S}.123Z"
    assert charger.result("StatusNotification", status(1, "Available", timestamp=timestamp)) == {}
    answer = charger.result("StartTransaction", start(tag.id_tag) | {"timestamp": timestamp})
    transaction_id = answer["transactionId"]
    assert charger.result("MeterValues", meter_values(sample("1001", timestamp), transaction_id=transaction_id)) == {}
    assert charger.result("StopTransaction", stop(transaction_id) | {"timestamp": timestamp}) == {}
    row = stored(transaction_id)
    assert [row.started_at, row.stopped_at] == [at, at]
    assert MeterValue.objects.get(series__station=station).effective_at == at
    assert StatusNotification.objects.get(station=station).effective_at == at
