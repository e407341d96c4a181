"""Charging as chargers report it: cases 1 and 3-31, frame by frame, with what is stored behind each answer."""

import json
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.models import Connector
from id_tags.models import IdTag, IdTagGroup, UnknownIdTag
from meter.models import MeterValue
from stations.models import Boot, Station
from stations.services.enrolment import accept_stations, hold_stations
from status_notifications.models import StatusNotification
from tests.support.charger import Charger
from tests.support.factories import make_id_tag, make_station
from tests.support.payloads import BOOT, ago, meter_values, sample, start, status, stop, text
from tests.support.waiting import until
from transactions.models import Closing, Mark, OrphanMessage, Transaction

Plug = Callable[..., Charger]
ACCEPTED = {"status": "Accepted"}


def started(charger: Charger, id_tag: str, **fields: Any) -> int:
    """Start a transaction whose tag is accepted and return its id."""
    answer = charger.result("StartTransaction", start(id_tag, **fields))
    assert answer == {"transactionId": answer["transactionId"], "idTagInfo": ACCEPTED}
    assert type(answer["transactionId"]) is int
    assert 0 < answer["transactionId"] < 2**31
    return int(answer["transactionId"])


def stored(transaction_id: int) -> Transaction:
    return Transaction.objects.get(transaction_id=transaction_id)


def connector_of(station: Station, connector_id: int = 1) -> tuple[str, str, str]:
    """Return status, error code and vendor error code of a connector."""
    connector = Connector.objects.get(station=station, connector_id=connector_id)
    return connector.status, connector.error_code, connector.vendor_error_code


def samples_of(station: Station) -> list[tuple[float | None, str, int | None]]:
    """Return value, context and transaction id of a station's samples, in order of time."""
    rows = MeterValue.objects.filter(series__station=station).order_by("effective_at", "value")
    return list(rows.values_list("value", "series__context", "transaction__transaction_id"))


def current_time(answer: dict[str, Any]) -> datetime:
    """Return an answer's currentTime, which must be UTC with a Z."""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer["currentTime"])
    return datetime.fromisoformat(answer["currentTime"])


def assert_is_now(at: datetime) -> None:
    assert abs((at - datetime.now(UTC)).total_seconds()) <= 1


# --- Boot and registration


def test_cold_boot(charger: Charger, station: Station) -> None:
    """Case 1 (TC_001): Boot, the statuses of 0 and 1, a Heartbeat; what the station says it is is stored."""
    report = {
        "chargePointVendor": "Wallbe",
        "chargePointModel": "Eco 2.0",
        "chargePointSerialNumber": "SN-1",
        "chargeBoxSerialNumber": "BOX-1",
        "firmwareVersion": "1.2.3",
        "iccid": "8949",
        "imsi": "26201",
        "meterType": "EM340",
        "meterSerialNumber": "M-1",
    }
    answer = charger.result("BootNotification", report)
    assert answer == {"status": "Accepted", "currentTime": answer["currentTime"], "interval": 300}
    assert_is_now(current_time(answer))
    assert charger.call("StatusNotification", status(0, "Available"), "s0") == [3, "s0", {}]
    assert charger.call("StatusNotification", status(1, "Available"), "s1") == [3, "s1", {}]
    beat = charger.result("Heartbeat", {})
    assert list(beat) == ["currentTime"]
    assert_is_now(current_time(beat))

    station.refresh_from_db()
    assert [station.vendor, station.model, station.firmware_version] == ["Wallbe", "Eco 2.0", "1.2.3"]
    assert [station.charge_point_serial_number, station.charge_box_serial_number] == ["SN-1", "BOX-1"]
    assert [station.iccid, station.imsi] == ["8949", "26201"]
    assert [station.meter_type, station.meter_serial_number] == ["EM340", "M-1"]
    assert station.last_boot_at is not None
    assert_is_now(station.last_boot_at)
    assert list(Boot.objects.filter(station=station).values_list("answered_status", "payload")) == [
        ("Accepted", report)
    ]
    assert [connector_of(station, 0), connector_of(station, 1)] == [("Available", "NoError", "")] * 2


@pytest.mark.parametrize(("setting", "interval"), [(None, 300), (0, 300), (86_400, 86_400)])
def test_boot_interval_is_the_stations(plug: Plug, orm: None, setting: int | None, interval: int) -> None:
    """Case 1: the station's own heartbeat interval, else the system's; always above 0."""
    assert plug(make_station(heartbeat_interval_s=setting)).boot()["interval"] == interval


def test_boot_of_a_pending_station(plug: Plug, orm: None) -> None:
    """Case 3: Pending with an interval; nothing else is served; once accepted, the next Boot says so."""
    station = make_station(registration_status="Pending", first_accepted_at=None)
    charger = plug(station)
    answer = charger.boot()
    assert answer == {"status": "Pending", "currentTime": answer["currentTime"], "interval": 60}
    assert_is_now(current_time(answer))
    for action, payload in [
        ("Heartbeat", {}),
        ("StatusNotification", status(1, "Available")),
        ("Authorize", {"idTag": "TAG"}),
        ("StartTransaction", start("TAG")),
        ("StopTransaction", stop(1)),
        ("MeterValues", meter_values(sample("1"))),
        ("DataTransfer", {"vendorId": "Acme"}),
    ]:
        assert charger.call(action, payload, action) == [
            4, action, "SecurityError", "the station is not accepted", {},
        ]  # fmt: skip
    assert Transaction.objects.filter(station=station).count() == 0
    assert Connector.objects.filter(station=station).count() == 0

    accept_stations(station_ids=[station.pk], now=datetime.now(UTC))
    answer = charger.boot()
    assert answer == {"status": "Accepted", "currentTime": answer["currentTime"], "interval": 300}
    assert charger.result("StatusNotification", status(1, "Available")) == {}


def test_boot_again_and_again_while_pending(plug: Plug, orm: None) -> None:
    """Case 3: a boot storm is answered each time and stored once (libocpp#478, ABB)."""
    station = make_station(registration_status="Pending", first_accepted_at=None)
    charger = plug(station)
    assert [charger.boot()["status"] for _ in range(20)] == ["Pending"] * 20
    assert Boot.objects.filter(station=station).count() == 1


def test_boot_of_a_rejected_station(plug: Plug, orm: None) -> None:
    """Case 4: Rejected with an interval; the server sends no CALL, and refuses what else comes."""
    charger = plug(make_station(registration_status="Rejected", first_accepted_at=None))
    answer = charger.boot()
    assert answer == {"status": "Rejected", "currentTime": answer["currentTime"], "interval": 60}
    with pytest.raises(TimeoutError):
        charger.receive(timeout_s=0.5)
    assert charger.call("Heartbeat", {}, "h") == [4, "h", "SecurityError", "the station is not accepted", {}]


@pytest.mark.parametrize("registration", ["Pending", "Rejected"])
def test_transactions_of_a_station_once_accepted_are_kept(
    plug: Plug, station: Station, tag: IdTag, registration: str
) -> None:
    """Rules §2.7, §2.8: its transaction messages are billing data, stored and answered, and marked."""
    charger = plug(station)
    before = started(charger, tag.id_tag)
    charger.close()
    Station.objects.filter(pk=station.pk).update(registration_status=registration)

    charger = plug(station)
    assert charger.call("Heartbeat", {}, "h") == [4, "h", "SecurityError", "the station is not accepted", {}]
    assert charger.result("MeterValues", meter_values(sample("2000"), transaction_id=before)) == {}
    assert charger.result("StopTransaction", stop(before, meter_stop=3000)) == {}
    during = started(charger, tag.id_tag, connector_id=2, at=ago(seconds=0))
    assert [stored(before).energy_wh, stored(before).marks] == [2000, ["not_accepted"]]
    assert stored(during).marks == ["not_accepted"]
    assert samples_of(station) == [(2000.0, "Sample.Periodic", before)]


def test_station_held_while_connected_is_no_longer_served(charger: Charger, station: Station) -> None:
    """Case 3: staff put it back to Pending; the connection learns of it without a new one."""
    assert list(charger.result("Heartbeat", {})) == ["currentTime"]
    hold_stations(station_ids=[station.pk], now=datetime.now(UTC))
    until(lambda: charger.call("Heartbeat", {}, "h"), [4, "h", "SecurityError", "the station is not accepted", {}])
    assert charger.boot()["status"] == "Pending"


def test_no_boot_on_reconnect(plug: Plug, station: Station, tag: IdTag) -> None:
    """Case 5 (Wallbox, evcc#4567): a known station is served on a new connection without a Boot."""
    charger = plug(station)
    charger.boot()
    transaction_id = started(charger, tag.id_tag)
    charger.close()
    charger = plug(station)
    assert charger.call("StatusNotification", status(1, "Charging"), "s") == [3, "s", {}]
    payload = meter_values(sample("1500"), transaction_id=transaction_id)
    assert charger.call("MeterValues", payload, "m") == [3, "m", {}]
    assert connector_of(station) == ("Charging", "NoError", "")
    assert stored(transaction_id).energy_wh == 500


# --- Transactions


def test_plug_in_first(charger: Charger, station: Station, tag: IdTag) -> None:
    """Case 6 (TC_003, TC_004_1): the whole session, closed with its meters and reason Local."""
    begin = ago(minutes=10)
    charger.boot()
    assert charger.call("StatusNotification", status(1, "Preparing", timestamp=text(begin)), "1") == [3, "1", {}]
    assert charger.call("Authorize", {"idTag": tag.id_tag}, "2") == [3, "2", {"idTagInfo": ACCEPTED}]
    transaction_id = started(charger, tag.id_tag, meter_start=1000, at=begin + timedelta(seconds=5))
    charging = status(1, "Charging", timestamp=text(begin + timedelta(seconds=6)))
    assert charger.call("StatusNotification", charging, "3") == [3, "3", {}]
    for minute, register in [(1, "1100"), (2, "1200.5")]:
        at = begin + timedelta(minutes=minute)
        payload = meter_values(
            {
                "timestamp": text(at),
                "sampledValue": [
                    {"value": register},
                    {"value": "7.2", "measurand": "Power.Active.Import", "unit": "kW"},
                    {"value": "40", "measurand": "SoC", "unit": "Percent", "location": "EV"},
                ],
            },
            transaction_id=transaction_id,
        )
        assert charger.call("MeterValues", payload, f"m{minute}") == [3, f"m{minute}", {}]
    row = stored(transaction_id)
    assert [row.energy_wh, row.power_w, row.soc_percent, row.closing] == [200.5, 7200.0, 40.0, Closing.OPEN]

    end = begin + timedelta(minutes=9)
    assert charger.call("StopTransaction", stop(transaction_id, meter_stop=2000, at=end), "4") == [3, "4", {}]
    finishing = status(1, "Finishing", timestamp=text(end))
    assert charger.call("StatusNotification", finishing, "5") == [3, "5", {}]
    available = status(1, "Available", timestamp=text(end + timedelta(seconds=20)))
    assert charger.call("StatusNotification", available, "6") == [3, "6", {}]

    row = stored(transaction_id)
    assert [row.station, row.connector.connector_id, row.tag] == [station, 1, tag]
    assert [row.meter_start, row.meter_stop, row.energy_wh] == [1000, 2000, 1000.0]
    assert [row.started_at, row.stopped_at] == [begin + timedelta(seconds=5), end]
    assert [row.stop_reason, row.closing, row.accepted, row.marks] == ["Local", "reported", True, []]
    assert MeterValue.objects.filter(transaction=row).count() == 6
    history = StatusNotification.objects.filter(station=station).order_by("effective_at", "status")
    assert [entry.get_status_display() for entry in history] == ["Preparing", "Charging", "Finishing", "Available"]
    assert connector_of(station) == ("Available", "NoError", "")


def test_transaction_ids_are_unique(plug: Plug, orm: None) -> None:
    """Case 6: positive 32-bit integers, no two alike, whatever the station."""
    chargers = [plug(make_station()) for _ in range(5)]
    ids = [started(charger, make_id_tag().id_tag, connector_id=number) for charger in chargers for number in (1, 2, 3)]
    assert len(set(ids)) == 15


def test_timeout_before_start(charger: Charger, station: Station) -> None:
    """Case 7 (TC_004_2, TC_011_2): Preparing, then Available again: no transaction."""
    begin = ago(minutes=2)
    assert charger.result("StatusNotification", status(1, "Preparing", timestamp=text(begin))) == {}
    later = text(begin + timedelta(minutes=1))
    assert charger.result("StatusNotification", status(1, "Available", timestamp=later)) == {}
    assert Transaction.objects.filter(station=station).count() == 0
    assert connector_of(station) == ("Available", "NoError", "")


def test_ev_unplugged(charger: Charger, tag: IdTag) -> None:
    """Case 8 (TC_005_1)."""
    transaction_id = started(charger, tag.id_tag)
    assert charger.result("StopTransaction", stop(transaction_id, reason="EVDisconnected")) == {}
    assert [stored(transaction_id).stop_reason, stored(transaction_id).closing] == ["EVDisconnected", "reported"]


def test_start_without_authorize(charger: Charger, tag: IdTag) -> None:
    """Case 9 (TC_007): the station knew the tag from its cache."""
    assert stored(started(charger, tag.id_tag)).accepted


def test_authorize_unknown_tag(charger: Charger, station: Station) -> None:
    """Case 10 (TC_023_1): Invalid, counted for staff to add, no transaction."""
    assert charger.call("Authorize", {"idTag": "STRANGER-10"}, "1") == [3, "1", {"idTagInfo": {"status": "Invalid"}}]
    assert charger.call("Authorize", {"idTag": "stranger-10"}, "2") == [3, "2", {"idTagInfo": {"status": "Invalid"}}]
    unknown = UnknownIdTag.objects.get(id_tag_folded="stranger-10")
    assert [unknown.id_tag, unknown.station, unknown.count] == ["STRANGER-10", station, 2]
    assert Transaction.objects.filter(station=station).count() == 0


def test_authorize_expired_tag(charger: Charger, station: Station) -> None:
    """Case 11 (TC_023_2)."""
    expires_at = ago(days=1)
    tag = make_id_tag(expires_at=expires_at)
    info = {"status": "Expired", "expiryDate": text(expires_at)}
    assert charger.call("Authorize", {"idTag": tag.id_tag}, "1") == [3, "1", {"idTagInfo": info}]
    assert Transaction.objects.filter(station=station).count() == 0


def test_authorize_blocked_tag(charger: Charger, station: Station) -> None:
    """Case 12 (TC_023_3)."""
    tag = make_id_tag(status="Blocked")
    assert charger.call("Authorize", {"idTag": tag.id_tag}, "1") == [3, "1", {"idTagInfo": {"status": "Blocked"}}]
    assert Transaction.objects.filter(station=station).count() == 0


@pytest.mark.parametrize(("fields", "word"), [(None, "Invalid"), ({"status": "Blocked"}, "Blocked")])
def test_bad_tag_offline(charger: Charger, fields: dict[str, Any] | None, word: str) -> None:
    """Case 13 (TC_037_3): a transaction id and the refusal; kept, flagged, and stopped with DeAuthorized."""
    id_tag = "STRANGER-13" if fields is None else make_id_tag(**fields).id_tag
    answer = charger.result("StartTransaction", start(id_tag, at=ago(hours=1)))
    assert answer == {"transactionId": answer["transactionId"], "idTagInfo": {"status": word}}
    assert answer["transactionId"] > 0
    row = stored(answer["transactionId"])
    assert [row.accepted, row.marks] == [False, [Mark.REFUSED_TAG]]
    report = stop(row.transaction_id, meter_stop=1010, reason="DeAuthorized")
    assert charger.result("StopTransaction", report) == {}
    row.refresh_from_db()
    assert [row.closing, row.stop_reason, row.energy_wh] == ["reported", "DeAuthorized", 10.0]
    assert row.marks == [Mark.REFUSED_TAG]


def test_concurrent_transaction(plug: Plug, station: Station, other_station: Station, tag: IdTag) -> None:
    """Case 14 (SteVe Issue73): Authorize says Accepted, the second Start ConcurrentTx with an id of its own."""
    here, there = plug(station), plug(other_station)
    first = started(here, tag.id_tag)
    assert there.result("Authorize", {"idTag": tag.id_tag}) == {"idTagInfo": ACCEPTED}
    answer = there.result("StartTransaction", start(tag.id_tag))
    assert answer == {"transactionId": answer["transactionId"], "idTagInfo": {"status": "ConcurrentTx"}}
    assert answer["transactionId"] > 0
    assert answer["transactionId"] != first
    assert stored(answer["transactionId"]).marks == [Mark.REFUSED_TAG]

    assert here.result("StopTransaction", stop(first)) == {}
    started(there, tag.id_tag, connector_id=2, at=ago(seconds=0))


@pytest.mark.parametrize(("limit", "words"), [(2, ["Accepted", "Accepted", "ConcurrentTx"]), (0, ["Accepted"] * 3)])
def test_concurrent_transactions_up_to_the_limit(charger: Charger, limit: int, words: list[str]) -> None:
    """Case 14: a tag's own limit; 0 means unlimited."""
    tag = make_id_tag(max_active_transactions=limit)
    answers = [charger.result("StartTransaction", start(tag.id_tag, connector_id=number)) for number in (1, 2, 3)]
    assert [answer["idTagInfo"]["status"] for answer in answers] == words


def test_parent_tag(charger: Charger) -> None:
    """Case 15: a child's Authorize names its parent; a sibling stops the transaction."""
    family = IdTagGroup.objects.create(parent_id_tag="PARENT-15")
    child, sibling = make_id_tag(group=family), make_id_tag(group=family)
    info = {"status": "Accepted", "parentIdTag": "PARENT-15"}
    assert charger.result("Authorize", {"idTag": child.id_tag}) == {"idTagInfo": info}
    answer = charger.result("StartTransaction", start(child.id_tag))
    assert answer == {"transactionId": answer["transactionId"], "idTagInfo": info}
    report = stop(answer["transactionId"], idTag=sibling.id_tag)
    assert charger.call("StopTransaction", report, "9") == [3, "9", {"idTagInfo": info}]
    row = stored(answer["transactionId"])
    assert [row.closing, row.tag, row.stop_id_tag] == ["reported", child, sibling.id_tag]


def test_tag_case(charger: Charger) -> None:
    """Case 16: tags are the same in any case, to authorise, to start, and to be counted."""
    tag = make_id_tag("Tag-Case-016")
    assert charger.result("Authorize", {"idTag": "TAG-CASE-016"}) == {"idTagInfo": ACCEPTED}
    transaction_id = started(charger, "tag-case-016")
    assert [stored(transaction_id).tag, stored(transaction_id).id_tag] == [tag, "tag-case-016"]
    answer = charger.result("StartTransaction", start("TAG-case-016", connector_id=2))
    assert answer["idTagInfo"] == {"status": "ConcurrentTx"}


@pytest.mark.parametrize("reconnects", [False, True])
def test_start_sent_again(plug: Plug, station: Station, tag: IdTag, reconnects: bool) -> None:
    """Case 17 (SteVe Issue81, MicroOcpp#237): the same start under a new message id is the same transaction."""
    report = start(tag.id_tag)
    charger = plug(station)
    first = charger.call("StartTransaction", report, "a")
    for unique_id in ("b", "c", "a"):
        if reconnects:
            charger.close()
            charger = plug(station)
        assert charger.call("StartTransaction", report, unique_id) == [3, unique_id, first[2]]
    assert Transaction.objects.filter(station=station).count() == 1
    assert charger.result("StopTransaction", stop(first[2]["transactionId"])) == {}
    assert charger.call("StartTransaction", report, "d") == [3, "d", first[2]]
    row = Transaction.objects.get(station=station)
    assert [row.closing, row.marks] == ["reported", []]


def test_start_of_a_refused_tag_sent_again(charger: Charger, station: Station) -> None:
    """Case 17: the stored id with the stored idTagInfo, also when the tag has been accepted since."""
    report = start("STRANGER-17")
    first = charger.result("StartTransaction", report)
    make_id_tag("STRANGER-17")
    assert charger.result("StartTransaction", report) == first
    assert first["idTagInfo"] == {"status": "Invalid"}
    assert Transaction.objects.filter(station=station).count() == 1


def test_stop_twice(plug: Plug, station: Station, tag: IdTag) -> None:
    """Case 18 (SteVe Issue72): also after a reconnect and with other words; the first one stands."""
    charger = plug(station)
    transaction_id = started(charger, tag.id_tag)
    report = stop(transaction_id, meter_stop=5000)
    assert charger.call("StopTransaction", report, "1") == [3, "1", {}]
    assert charger.call("StopTransaction", report, "2") == [3, "2", {}]
    charger.close()
    charger = plug(station)
    assert charger.call("StopTransaction", report, "1") == [3, "1", {}]
    assert charger.call("StopTransaction", stop(transaction_id, meter_stop=9000, reason="Remote"), "3") == [3, "3", {}]
    row = stored(transaction_id)
    assert [row.meter_stop, row.energy_wh, row.stop_reason] == [5000, 4000.0, "Local"]
    assert list(row.stop_conflicts.values_list("payload__meterStop", flat=True)) == [9000]
    assert OrphanMessage.objects.filter(station=station).count() == 0


def test_stop_a_hundred_times_at_once(charger: Charger, tag: IdTag) -> None:
    """Case 18 (libocpp#907): all are answered, there is one stop."""
    transaction_id = started(charger, tag.id_tag)
    report = stop(transaction_id)
    for number in range(100):
        charger.send(json.dumps([2, f"s{number}", "StopTransaction", report]))
    assert [charger.receive() for _ in range(100)] == [[3, f"s{number}", {}] for number in range(100)]
    row = stored(transaction_id)
    assert [row.closing, row.energy_wh, row.stop_conflicts.count()] == ["reported", 5000.0, 0]


@pytest.mark.parametrize("unusable", [0, -1, 999_999])
def test_stop_of_an_unknown_transaction(charger: Charger, station: Station, tag: IdTag, unusable: int) -> None:
    """Case 19 (libocpp#495, ConnectorIO#199): an answer, with idTagInfo if a tag was sent; kept once for review."""
    report = stop(unusable)
    assert charger.call("StopTransaction", report, "1") == [3, "1", {}]
    assert charger.call("StopTransaction", report, "2") == [3, "2", {}]
    tagged = report | {"idTag": tag.id_tag}
    assert charger.call("StopTransaction", tagged, "3") == [3, "3", {"idTagInfo": ACCEPTED}]
    strangers = report | {"idTag": "STRANGER-19"}
    assert charger.call("StopTransaction", strangers, "4") == [3, "4", {"idTagInfo": {"status": "Invalid"}}]
    orphans = OrphanMessage.objects.filter(station=station).order_by("pk")
    assert list(orphans.values_list("transaction_ref", "id_tag", "state", "payload")) == [
        (str(unusable), "", "waiting", report),
        (str(unusable), tag.id_tag, "waiting", tagged),
        (str(unusable), "STRANGER-19", "waiting", strangers),
    ]


@pytest.mark.parametrize("unusable", [0, -1, 999_999])
def test_stop_without_a_usable_id_finds_its_transaction(charger: Charger, tag: IdTag, unusable: int) -> None:
    """Case 19 (Delta stops with 0): the only one that tag, register and time allow."""
    transaction_id = started(charger, tag.id_tag)
    assert charger.result("StopTransaction", stop(unusable, meter_stop=4000, idTag=tag.id_tag)) == {
        "idTagInfo": ACCEPTED
    }
    row = stored(transaction_id)
    assert [row.closing, row.energy_wh, row.marks] == ["reported", 3000.0, [Mark.ORPHAN_STOP]]


def test_stop_of_another_stations_transaction(
    plug: Plug, station: Station, other_station: Station, tag: IdTag
) -> None:
    """Case 20: answered; the other's transaction is left alone."""
    theirs = started(plug(other_station), tag.id_tag)
    charger = plug(station)
    assert charger.call("StopTransaction", stop(theirs, idTag=tag.id_tag), "1") == [
        3, "1", {"idTagInfo": ACCEPTED},
    ]  # fmt: skip
    assert charger.call("MeterValues", meter_values(sample("9000"), transaction_id=theirs), "2") == [3, "2", {}]
    row = stored(theirs)
    assert [row.closing, row.meter_stop, row.energy_wh] == [Closing.OPEN, None, 0.0]
    assert samples_of(station) == [(9000.0, "Sample.Periodic", None)]
    kinds = OrphanMessage.objects.filter(station=station).order_by("kind").values_list("kind", "transaction_ref")
    assert list(kinds) == [("MeterValues", str(theirs)), ("StopTransaction", str(theirs))]


def test_offline_session(charger: Charger, tag: IdTag) -> None:
    """Case 21 (TC_039, TC_037_1): the messages' own times are stored, with the times they were received."""
    begin, end = ago(hours=2), ago(hours=1)
    before = datetime.now(UTC)
    transaction_id = started(charger, tag.id_tag, at=begin)
    middle = begin + timedelta(minutes=30)
    assert charger.result("MeterValues", meter_values(sample("3000", middle), transaction_id=transaction_id)) == {}
    assert charger.result("StopTransaction", stop(transaction_id, at=end)) == {}
    row = stored(transaction_id)
    assert [row.started_at, row.start_reported_at, row.stopped_at, row.stop_reported_at] == [begin, begin, end, end]
    assert before <= row.start_received_at <= datetime.now(UTC)
    assert row.stop_received_at is not None
    assert before <= row.stop_received_at <= datetime.now(UTC)
    assert row.marks == []
    assert MeterValue.objects.get(transaction=row).effective_at == middle


def test_power_loss(plug: Plug, station: Station, tag: IdTag) -> None:
    """Case 22 (TC_032_1): after the power is back: Boot, Finishing, and the Stop of the transaction it cut."""
    charger = plug(station)
    transaction_id = started(charger, tag.id_tag, at=ago(hours=1))
    charger.close()
    charger = plug(station)
    assert charger.boot()["status"] == "Accepted"
    assert charger.result("StatusNotification", status(1, "Finishing")) == {}
    report = stop(transaction_id, meter_stop=1800, at=ago(minutes=50), reason="PowerLoss")
    assert charger.result("StopTransaction", report) == {}
    row = stored(transaction_id)
    assert [row.closing, row.stop_reason, row.energy_wh] == ["reported", "PowerLoss", 800.0]


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


def test_status_order(charger: Charger, station: Station) -> None:
    """Case 27: a status that arrives late does not roll the connector back; both are in the history."""
    earlier, later = ago(minutes=2), ago(minutes=1)
    assert charger.result("StatusNotification", status(1, "Charging", timestamp=text(later))) == {}
    assert charger.result("StatusNotification", status(1, "Available", timestamp=text(earlier))) == {}
    assert connector_of(station) == ("Charging", "NoError", "")
    history = StatusNotification.objects.filter(station=station).order_by("effective_at")
    assert [(row.get_status_display(), row.effective_at) for row in history] == [
        ("Available", earlier),
        ("Charging", later),
    ]


def test_burst_of_first_statuses(plug: Plug, orm: None) -> None:
    """Case 28 (SteVe Issue2107): six new stations, connector 0, the same instant."""
    stations = [make_station() for _ in range(6)]
    chargers = [plug(station) for station in stations]
    payload = status(0, "Available", timestamp=text(ago(seconds=1)))
    frame = json.dumps([2, "burst", "StatusNotification", payload])
    gate = threading.Barrier(6)
    answers: list[Any] = []

    def send(charger: Charger) -> None:
        gate.wait()
        answers.append(charger.exchange(frame))

    threads = [threading.Thread(target=send, args=(charger,)) for charger in chargers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [[3, "burst", {}]] * 6
    assert StatusNotification.objects.filter(station__in=stations).count() == 6
    assert Connector.objects.filter(station__in=stations, connector_id=0, status="Available").count() == 6


def test_burst_of_first_statuses_of_one_connector(charger: Charger, station: Station) -> None:
    """Case 28: the same, without waiting for answers, on one socket."""
    instants = [ago(seconds=10) + timedelta(milliseconds=number) for number in range(20)]
    for number, at in enumerate(instants):
        payload = status(1, "Available", timestamp=at.isoformat())
        charger.send(json.dumps([2, str(number), "StatusNotification", payload]))
    assert [charger.receive() for _ in instants] == [[3, str(number), {}] for number in range(20)]
    assert StatusNotification.objects.filter(station=station).count() == 20
    assert Connector.objects.get(station=station).status_at == instants[-1]


def test_fault_with_a_vendor_code_and_its_end(charger: Charger, station: Station) -> None:
    """Case 29 (TC_024)."""
    fault = status(
        1, "Faulted", "GroundFailure",
        timestamp=text(ago(minutes=2)), info="Leakage", vendorId="acme", vendorErrorCode="E-42",
    )  # fmt: skip
    assert charger.result("StatusNotification", fault) == {}
    connector = Connector.objects.get(station=station, connector_id=1)
    assert [connector.status, connector.error_code, connector.info] == ["Faulted", "GroundFailure", "Leakage"]
    assert [connector.vendor_id, connector.vendor_error_code, connector.is_faulted] == ["acme", "E-42", True]
    assert charger.result("StatusNotification", status(1, "Available", timestamp=text(ago(minutes=1)))) == {}
    connector.refresh_from_db()
    assert [connector.status, connector.error_code, connector.info] == ["Available", "NoError", ""]
    assert [connector.vendor_id, connector.vendor_error_code, connector.is_faulted] == ["", "", False]
    assert StatusNotification.objects.filter(station=station).count() == 2


def test_data_transfer_of_an_unknown_vendor(charger: Charger, station: Station) -> None:
    """Case 30 (TC_064), decision 8: UnknownVendorId, stored with all it said."""
    payload = {"vendorId": "EVBox", "messageId": "evbStatusNotification", "data": '{"temperature": 31}'}
    assert charger.call("DataTransfer", payload, "1") == [3, "1", {"status": "UnknownVendorId"}]
    assert charger.call("DataTransfer", {"vendorId": "EVBox"}, "2") == [3, "2", {"status": "UnknownVendorId"}]
    notices = station.notices.order_by("received_at")
    assert list(notices.values_list("kind", "payload")) == [
        ("DataTransfer", payload),
        ("DataTransfer", {"vendorId": "EVBox"}),
    ]
    assert notices[0].detail == 'EVBox evbStatusNotification: {"temperature": 31}'


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


def test_boot_repeats_what_the_station_is(charger: Charger, station: Station) -> None:
    """Case 1 again with other words: the latest stands, every change is in the history."""
    charger.boot()
    assert charger.result("BootNotification", BOOT | {"firmwareVersion": "2"})["status"] == "Accepted"
    station.refresh_from_db()
    assert station.firmware_version == "2"
    versions = Boot.objects.filter(station=station).order_by("received_at").values_list("firmware_version", flat=True)
    assert list(versions) == ["", "2"]
