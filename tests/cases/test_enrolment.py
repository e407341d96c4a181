"""Who is let in: OCPP_ENROLMENT closed, pending, open; what staff do about strangers, and how few rows these cost."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from evcharging.jobs.periodic import maintain
from id_tags.models import UnknownIdTag
from stations.models import RefusedConnection, Station
from stations.services.enrolment import accept_stations, reject_stations
from stations.services.refusals import accept_refused_identity
from tests.support.charger import Charger
from tests.support.factories import make_id_tag, make_station
from tests.support.live_server import LiveServer
from tests.support.payloads import start, status
from tests.support.raw import OCPP16, basic, handshake
from tests.support.raw_client import UPGRADE, Client
from tests.support.waiting import until
from transactions.models import Transaction

Plug = Callable[..., Charger]
CAP = 6
NOT_ACCEPTED = "the station is not accepted"


@pytest.fixture(scope="module")
def server_settings() -> dict[str, Any]:
    """The default, pending, with room for a few strangers."""
    return {"PENDING_STATIONS_MAX": 12}


@pytest.fixture(scope="module")
def closed(start_module_server: Callable[..., LiveServer]) -> LiveServer:
    """A server that takes known stations only, with room for a few refusals and unknown tags."""
    return start_module_server(OCPP_ENROLMENT="closed", REFUSED_CONNECTIONS_MAX=CAP, UNKNOWN_ID_TAGS_MAX=CAP)


@pytest.fixture
def closed_orm(closed: LiveServer, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock(), closed.orm():
        yield


@pytest.fixture(scope="module")
def everybody(start_module_server: Callable[..., LiveServer]) -> LiveServer:
    """A server that takes every station."""
    return start_module_server(OCPP_ENROLMENT="open")


def registration(identity: str) -> tuple[str, bool]:
    """Return a station's status and whether it was ever accepted."""
    station = Station.objects.get(identity=identity)
    return station.registration_status, station.was_ever_accepted


# --- pending


def test_stranger_waits_for_staff(plug: Plug, orm: None) -> None:
    """Known as Pending from its handshake on; its Boot says what it is; nothing else of it is stored."""
    charger = plug("STRANGER-1")
    assert registration("STRANGER-1") == ("Pending", False)
    assert charger.call("StatusNotification", status(1, "Available"), "s") == [
        4,
        "s",
        "SecurityError",
        NOT_ACCEPTED,
        {},
    ]
    answer = charger.boot()
    assert answer == {"status": "Pending", "currentTime": answer["currentTime"], "interval": 60}
    station = Station.objects.get(identity="STRANGER-1")
    assert [station.vendor, station.model, station.is_online] == ["Acme", "One", True]
    assert charger.call("StartTransaction", start("TAG"), "t") == [4, "t", "SecurityError", NOT_ACCEPTED, {}]
    assert Transaction.objects.filter(station=station).count() == 0
    assert UnknownIdTag.objects.filter(station=station).count() == 0
    assert RefusedConnection.objects.filter(identity="STRANGER-1").count() == 0


def test_stranger_accepted_while_connected_works_at_once(plug: Plug, orm: None) -> None:
    """Its next Boot is answered Accepted on the same connection, and everything else is served."""
    tag = make_id_tag()
    charger = plug("STRANGER-2")
    assert charger.boot()["status"] == "Pending"
    station = Station.objects.get(identity="STRANGER-2")
    assert accept_stations(station_ids=[station.pk], now=datetime.now(UTC)) == 1
    answer = charger.boot()
    assert answer == {"status": "Accepted", "currentTime": answer["currentTime"], "interval": 300}
    assert charger.result("StatusNotification", status(1, "Available")) == {}
    assert charger.result("StartTransaction", start(tag.id_tag))["idTagInfo"] == {"status": "Accepted"}
    assert Transaction.objects.get(station=station).marks == []
    station.refresh_from_db()
    assert [station.connection_epoch, station.was_ever_accepted] == [1, True]


def test_stranger_accepted_while_connected_is_served_without_a_boot(plug: Plug, orm: None) -> None:
    """The connection is told; a charger that does not ask again is not left waiting."""
    charger = plug("STRANGER-3")
    assert charger.call("Heartbeat", {}, "h") == [4, "h", "SecurityError", NOT_ACCEPTED, {}]
    accept_stations(station_ids=[Station.objects.get(identity="STRANGER-3").pk], now=datetime.now(UTC))
    until(lambda: charger.call("Heartbeat", {})[0], 3)


def test_stranger_rejected_while_connected(plug: Plug, orm: None) -> None:
    charger = plug("STRANGER-4")
    reject_stations(station_ids=[Station.objects.get(identity="STRANGER-4").pk], now=datetime.now(UTC))
    assert charger.boot()["status"] == "Rejected"
    charger.close()
    assert plug("STRANGER-4").boot()["status"] == "Rejected"
    assert registration("STRANGER-4") == ("Rejected", False)


def test_stranger_is_enrolled_once(server: LiveServer, plug: Plug, orm: None) -> None:
    """Whatever the case of its identity, and however many of its connections come at the same instant."""
    clients = [Client(server.port) for _ in range(8)]
    for number, client in enumerate(clients):
        identity = b"STRANGER-5" if number % 2 else b"stranger-5"
        client.write(b"\r\n".join([b"GET /ocpp/%s HTTP/1.1" % identity, *UPGRADE, OCPP16, b"", b""]))
    assert [client.response().status for client in clients] == [101] * 8
    for client in clients:
        client.socket.close()
    assert plug("Stranger-5").boot()["status"] == "Pending"
    assert Station.objects.filter(identity__iexact="stranger-5").count() == 1


def test_credentials_of_a_stranger_are_not_asked_for(server: LiveServer, orm: None) -> None:
    assert handshake(server, "/ocpp/STRANGER-6", basic(b"STRANGER-6", b"any")).status == 101
    assert registration("STRANGER-6") == ("Pending", False)


@pytest.mark.parametrize("offers", [b"", b"ocpp2.0.1"])
def test_stranger_of_another_protocol_is_not_enrolled(server: LiveServer, orm: None, offers: bytes) -> None:
    assert handshake(server, "/ocpp/BROWSER", offers=offers).status == 400
    assert Station.objects.filter(identity="BROWSER").count() == 0


def test_strangers_beyond_the_cap_are_refused(server: LiveServer, orm: None) -> None:
    """PENDING_STATIONS_MAX: then 404, kept among the refused; known stations and accepted ones are not counted."""
    pending = Station.objects.filter(registration_status="Pending")
    room = 12 - pending.count()
    answers = [handshake(server, f"/ocpp/CROWD-{number}").status for number in range(room + 3)]
    assert answers == [101] * room + [404] * 3
    assert pending.count() == 12
    refused = RefusedConnection.objects.filter(identity__startswith="CROWD", reason="enrolment_full")
    until(refused.count, 3)
    assert handshake(server, "/ocpp/CROWD-0").status == 101

    accept_stations(station_ids=[Station.objects.get(identity="CROWD-0").pk], now=datetime.now(UTC))
    assert handshake(server, f"/ocpp/CROWD-{room}").status == 101


def test_strangers_nobody_saw_again_are_forgotten(server: LiveServer, orm: None) -> None:
    """REFUSAL_RETENTION_DAYS: pending stations, refused connections and unknown tags; never who was accepted."""
    now = datetime.now(UTC)
    handshake(server, "/ocpp/BROWSER-2", offers=b"")
    until(RefusedConnection.objects.filter(identity="BROWSER-2").count, 1)
    make_station("OLD-PENDING", registration_status="Pending", first_accepted_at=None, last_seen_at=now)
    make_station("OLD-HELD", registration_status="Pending", last_seen_at=now)
    make_station("OLD-REJECTED", registration_status="Rejected", first_accepted_at=None, last_seen_at=now)
    make_station("OLD-ACCEPTED", last_seen_at=now)
    assert maintain(now=now + timedelta(days=29))
    assert Station.objects.filter(identity__startswith="OLD-").count() == 4
    assert RefusedConnection.objects.filter(identity="BROWSER-2").count() == 1
    assert maintain(now=now + timedelta(days=31))
    left = Station.objects.filter(identity__startswith="OLD-").order_by("identity").values_list("identity", flat=True)
    assert list(left) == ["OLD-ACCEPTED", "OLD-HELD", "OLD-REJECTED"]
    assert RefusedConnection.objects.count() == 0


# --- closed


def test_refused_connections_are_counted(closed: LiveServer, closed_orm: None) -> None:
    """One row per identity and reason, with where from and when; nothing else is written of them."""
    before = datetime.now(UTC)
    for _ in range(5):
        assert handshake(closed, "/ocpp/KNOCKER").status == 404
    rows = RefusedConnection.objects.filter(identity="KNOCKER")
    until(lambda: list(rows.values_list("reason", "count")), [("unknown_identity", 5)])
    row = rows.get()
    assert row.remote_address == "127.0.0.1"
    assert before <= row.first_seen_at < row.last_seen_at <= datetime.now(UTC)
    assert Station.objects.filter(identity="KNOCKER").count() == 0


def test_refused_identity_is_accepted(closed: LiveServer, closed_orm: None) -> None:
    """Staff accept it from the list: its next connection is let in, and its row is gone."""
    assert handshake(closed, "/ocpp/WELCOME").status == 404
    rows = RefusedConnection.objects.filter(identity="WELCOME")
    until(rows.count, 1)
    accept_refused_identity(refused_id=rows.get().pk, now=datetime.now(UTC))
    assert rows.count() == 0
    with Charger(closed.url, "WELCOME") as charger:
        assert charger.boot()["status"] == "Accepted"
    assert registration("WELCOME") == ("Accepted", True)


def test_refused_connections_are_capped(closed: LiveServer, closed_orm: None) -> None:
    """REFUSED_CONNECTIONS_MAX: those unseen for longest make room."""
    for number in range(3 * CAP):
        assert handshake(closed, f"/ocpp/FLOOD-{number:02d}").status == 404
    last = [f"FLOOD-{number:02d}" for number in range(2 * CAP, 3 * CAP)]
    rows = RefusedConnection.objects.order_by("identity").values_list("identity", flat=True)
    until(lambda: list(rows.all()), last)


def test_unknown_tags_are_capped(closed: LiveServer, closed_orm: None) -> None:
    """UNKNOWN_ID_TAGS_MAX: the same."""
    station = make_station()
    with Charger(closed.url, station.identity) as charger:
        for number in range(3 * CAP):
            answer = charger.result("Authorize", {"idTag": f"CARD-{number:02d}"})
            assert answer == {"idTagInfo": {"status": "Invalid"}}
    rows = UnknownIdTag.objects.order_by("id_tag").values_list("id_tag", flat=True)
    assert list(rows) == [f"CARD-{number:02d}" for number in range(2 * CAP, 3 * CAP)]


# --- open


def test_open_enrolment_accepts_at_once(everybody: LiveServer) -> None:
    with Charger(everybody.url, "NEW") as charger:
        assert charger.result("StatusNotification", status(1, "Available")) == {}
        assert charger.boot()["status"] == "Accepted"
    rows = everybody.query("SELECT registration_status, first_accepted_at IS NOT NULL FROM stations_station")
    assert rows == [("Accepted", True)]
