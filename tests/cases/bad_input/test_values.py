"""Sizes, numbers and texts that no column holds, as raw frames on a real socket."""

import json
import time
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from connectors.models import Connector
from id_tags.models import IdTag, UnknownIdTag
from meter.models import MeterValue
from stations.models import Deviation, Station
from tests.support.bad_input import assert_serves, connector_of, error_of
from tests.support.charger import Charger
from tests.support.factories import make_id_tag
from tests.support.live_server import LiveServer
from tests.support.payloads import ago, meter_values, sample, start, status, stop
from tests.support.waiting import until
from transactions.models import Mark, OrphanMessage, Transaction

LIMIT = 262_144


@pytest.mark.parametrize("depth", [101, 1000, 10_000, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_deep_nesting_is_refused_at_once(charger: Charger, depth: int, opening: str, closing: str) -> None:
    """Python's recursion limit is nobody's weapon: a CALLERROR, or 1009 over the size limit, within a second."""
    began = time.monotonic()
    payload = f'{{"a":{opening * depth}1{closing * depth}}}'
    frame = f'[2,"1","DataTransfer",{payload}]'
    if len(frame) > LIMIT:
        charger.send(frame)
        with pytest.raises(ConnectionClosed) as closed:
            charger.receive()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
    else:
        assert error_of(charger.exchange(frame)) == ("1", "FormationViolation")
        assert_serves(charger)
    assert time.monotonic() - began < 1


def test_nesting_that_a_vendor_may_need_is_served(charger: Charger) -> None:
    payload = f'{{"vendorId":"Acme","data":{"[" * 50 + "]" * 50}}}'
    assert charger.exchange(f'[2,"1","DataTransfer",{payload}]') == [3, "1", {"status": "UnknownVendorId"}]


def test_many_keys_are_served_or_over_the_limit(charger: Charger, station: Station) -> None:
    """As many keys as fit are extra fields (evcc#14579): ignored, recorded within the cap."""
    began = time.monotonic()
    answer = charger.exchange(f'[2,"1","Heartbeat",{json.dumps({f"k{number}": 0 for number in range(20_000)})}]')
    assert answer[:2] == [3, "1"]
    assert time.monotonic() - began < 3  # a tenth of a second where nothing else runs
    assert_serves(charger)
    until(lambda: Deviation.objects.filter(station=station, rule="extra_field").count() > 0, True)
    assert Deviation.objects.filter(station=station).count() <= 200
    charger.send(f'[2,"1","Heartbeat",{json.dumps({f"k{number}": 0 for number in range(100_000)})}]')
    with pytest.raises(ConnectionClosed) as closed:
        charger.receive()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1" + "0" * 5000, "0x10", "01"])
def test_number_that_json_does_not_have(charger: Charger, station: Station, number: str) -> None:
    frame = f'[2,"1","StartTransaction",{{"connectorId":1,"idTag":"T","timestamp":"{ago()}","meterStart":{number}}}]'
    assert error_of(charger.exchange(frame)) == ("1", "FormationViolation")
    assert_serves(charger)
    assert Transaction.objects.filter(station=station).count() == 0


@pytest.mark.parametrize("connector_id", [-1, 2**31, 2**63 - 1, 2**63])
def test_status_of_an_impossible_connector(charger: Charger, station: Station, connector_id: int) -> None:
    answer = charger.call("StatusNotification", status(connector_id, "Available"), "1")
    assert error_of(answer) == ("1", "PropertyConstraintViolation")
    assert_serves(charger)
    assert Connector.objects.filter(station=station).count() == 0


@pytest.mark.parametrize("connector_id", [0, 99, 2**31 - 1])
def test_status_of_a_connector_nobody_announced(charger: Charger, station: Station, connector_id: int) -> None:
    assert charger.call("StatusNotification", status(connector_id, "Available"), "1") == [3, "1", {}]
    assert connector_of(station, connector_id).status == "Available"


@pytest.mark.parametrize("connector_id", [0, -1, 99, 2**31, 2**63 - 1, 2**63, 2**64])
def test_billing_data_of_an_impossible_connector_is_kept(
    charger: Charger, station: Station, tag: IdTag, connector_id: int
) -> None:
    answer = charger.result("StartTransaction", start(tag.id_tag, connector_id=connector_id))
    assert answer == {"transactionId": answer["transactionId"], "idTagInfo": {"status": "Accepted"}}
    payload = meter_values(sample("1500"), connector_id=connector_id, transaction_id=answer["transactionId"])
    assert charger.call("MeterValues", payload, "m") == [3, "m", {}]
    assert charger.call("StopTransaction", stop(answer["transactionId"]), "s") == [3, "s", {}]
    row = Transaction.objects.get(station=station)
    assert [row.closing, row.energy_wh, row.meter_values.count()] == ["reported", 5000.0, 1]


@pytest.mark.parametrize("meter_start", [2**63, -(2**63) - 1, 2**64, 1e300])
def test_register_beyond_any_column_is_unknown(
    charger: Charger, station: Station, tag: IdTag, meter_start: float
) -> None:
    """Energy is unknown while meterStart is."""
    payload = start(tag.id_tag) | {"meterStart": meter_start}
    answer = charger.result("StartTransaction", payload)
    assert answer == {"transactionId": answer["transactionId"], "idTagInfo": {"status": "Accepted"}}
    assert charger.result("StopTransaction", stop(answer["transactionId"])) == {}
    row = Transaction.objects.get(station=station)
    assert [row.meter_start, row.meter_stop, row.energy_wh, row.closing] == [None, 6000, None, "reported"]


@pytest.mark.parametrize("transaction_id", [2**31, 2**40, 2**63, 2**64, -(2**40), 1.5, "abc", "", [], {}, True, None])
def test_transaction_id_that_can_be_none_of_ours(charger: Charger, station: Station, transaction_id: Any) -> None:
    assert charger.call("StopTransaction", stop(transaction_id), "s") == [3, "s", {}]
    payload = meter_values(sample("1500")) | {"transactionId": transaction_id}
    assert charger.call("MeterValues", payload, "m") == [3, "m", {}]
    assert OrphanMessage.objects.filter(station=station, kind="stop").count() == 1
    assert MeterValue.objects.get(series__station=station).transaction is None


# --- Texts


@pytest.mark.parametrize(
    "id_tag",
    [r"TAG\u0000", r"\u0000TAG", r"\ud800", r"TAG\udfff", r"\u001b[31m", r"a\nb", "<b>tag</b>", "' OR 1=1 --", r"\\",
     "", " ", "☃", "x" * 300, r"\u202etag"]
)  # fmt: skip
def test_odd_id_tag_is_invalid(charger: Charger, id_tag: str) -> None:
    """Nobody knows such a tag; it is no error, and it opens nothing."""
    if IdTag.objects.filter(id_tag="TAG").count() == 0:
        make_id_tag("TAG")
    assert charger.exchange(f'[2,"1","Authorize",{{"idTag":"{id_tag}"}}]') == [
        3, "1", {"idTagInfo": {"status": "Invalid"}},
    ]  # fmt: skip
    answer = charger.exchange(
        f'[2,"2","StartTransaction",{{"connectorId":1,"idTag":"{id_tag}","meterStart":0,"timestamp":"{ago()}"}}]'
    )
    assert answer == [3, "2", {"transactionId": answer[2]["transactionId"], "idTagInfo": {"status": "Invalid"}}]
    assert Transaction.objects.get(transaction_id=answer[2]["transactionId"]).marks == [Mark.REFUSED_TAG]
    assert_serves(charger)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (r"a\u0000b", "a\ufffdb"),
        (r"a\ud800b", "a\ufffdb"),
        (r"a\udc00", "a\ufffd"),
        (r"\ud83d\ude97", "🚗"),
        (r"a\u001b[31mb", "a\x1b[31mb"),
        (r"a\nb\tc", "a\nb\tc"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("'; DROP TABLE stations_station; --", "'; DROP TABLE stations_station; --"),
        (r"%s {0} \\", "%s {0} \\"),
        ("x" * 255, "x" * 255),
        ("x" * 2000, "x" * 255),
    ],
)
def test_odd_text_is_kept_as_it_is_or_can_be(charger: Charger, station: Station, sent: str, kept: str) -> None:
    payload = (
        f'{{"connectorId":1,"status":"Faulted","errorCode":"OtherError","info":"{sent}","vendorErrorCode":"{sent}"}}'
    )
    assert charger.exchange(f'[2,"1","StatusNotification",{payload}]') == [3, "1", {}]
    connector = connector_of(station)
    assert [connector.info, connector.vendor_error_code] == [kept, kept]
    boot = charger.exchange(f'[2,"2","BootNotification",{{"chargePointVendor":"{sent}","chargePointModel":"M"}}]')
    assert boot[2]["status"] == "Accepted"
    station.refresh_from_db()
    assert station.vendor == kept.strip()
    assert charger.exchange(f'[2,"3","DataTransfer",{{"vendorId":"A","data":"{sent}","{sent}":1}}]') == [
        3, "3", {"status": "UnknownVendorId"},
    ]  # fmt: skip
    assert_serves(charger)


def test_log_has_one_line_per_event_whatever_is_sent(server: LiveServer, charger: Charger) -> None:
    """Newlines and escapes in ids, actions and tags break no line of the log and reach no terminal."""
    charger.exchange(r'[2,"forged\n{\"level\":\"ERROR\"}\u001b[31m","Forged\n{\"level\":\"ERROR\"}\u001b[2J",{}]')
    assert server.text().count("\x1b") == 0
    events = server.events()
    assert [event for event in events if event["level"] == "ERROR"] == []
    assert [event["action"] for event in events if event.get("action", "").startswith("Forged")] == [
        'Forged\n{"level":"ERROR"}\x1b[2J'
    ]


def test_unknown_tags_of_bad_input_are_in_the_inbox_once(charger: Charger) -> None:
    """Odd tags are listed for staff like others, whatever is in them."""
    for number in range(3):
        charger.exchange(f'[2,"{number}","Authorize",{{"idTag":"<i>odd\\n</i>"}}]')
    assert list(UnknownIdTag.objects.filter(id_tag="<i>odd\n</i>").values_list("count", flat=True)) == [3]
