"""Boot and registration, frame by frame: cases 1 and 3-5."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from connectors.models import Connector
from id_tags.models import IdTag
from stations.models import Boot, Station
from stations.services.enrolment import accept_stations, hold_stations
from tests.support.charger import Charger
from tests.support.factories import make_station
from tests.support.payloads import BOOT, ago, meter_values, sample, start, status, stop
from tests.support.sessions import assert_is_now, connector_of, current_time, samples_of, started, stored
from tests.support.waiting import until
from transactions.models import Transaction

Plug = Callable[..., Charger]


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


def test_boot_repeats_what_the_station_is(charger: Charger, station: Station) -> None:
    """Case 1 again with other words: the latest stands, every change is in the history."""
    charger.boot()
    assert charger.result("BootNotification", BOOT | {"firmwareVersion": "2"})["status"] == "Accepted"
    station.refresh_from_db()
    assert station.firmware_version == "2"
    versions = Boot.objects.filter(station=station).order_by("received_at").values_list("firmware_version", flat=True)
    assert list(versions) == ["", "2"]
