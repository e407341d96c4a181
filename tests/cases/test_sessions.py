"""Charging as chargers report it, frame by frame, with what is stored behind each answer: cases 6-22."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from id_tags.models import IdTag, IdTagGroup, UnknownIdTag
from meter.models import MeterValue
from stations.models import Station
from status_notifications.models import StatusNotification
from tests.support.charger import Charger
from tests.support.factories import make_id_tag, make_station
from tests.support.payloads import ago, meter_values, sample, start, status, stop, text
from tests.support.sessions import ACCEPTED, connector_of, samples_of, started, stored
from transactions.models import Closing, Mark, OrphanMessage, Transaction

Plug = Callable[..., Charger]


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
    assert list(kinds) == [("meter_values", str(theirs)), ("stop", str(theirs))]


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
