"""StatusNotification, frame by frame: cases 27-29."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from connectors.models import Connector
from stations.models import Station
from status_notifications.models import StatusNotification
from tests.support.charger import Charger
from tests.support.factories import make_station
from tests.support.payloads import ago, status, text
from tests.support.sessions import connector_of

Plug = Callable[..., Charger]


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
