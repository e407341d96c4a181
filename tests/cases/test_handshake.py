"""Who may connect and how: cases 2, 57, 58, 59 and 64, and §4 "Connection level"."""

import base64
import time
from collections.abc import Callable
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from stations.models import RefusedConnection, Station
from stations.passwords import hash_password
from tests.support.charger import Charger
from tests.support.factories import make_station
from tests.support.live_server import LiveServer
from tests.support.raw import OCPP16, basic, handshake, upgraded
from tests.support.raw_client import ACCEPT, TEXT, UPGRADE, Client, Response
from tests.support.waiting import until

CHALLENGE = b'Basic realm="OCPP", charset="UTF-8"'
HEX_KEY = "a1b2c3d4e5f60718293a4b5c6d7e8f90"


@pytest.fixture(scope="module")
def server_settings() -> dict[str, Any]:
    return {"OCPP_ENROLMENT": "closed"}


def refusals(identity: str) -> list[tuple[str, int]]:
    """Return reason and count of an identity's refused connections."""
    rows = RefusedConnection.objects.filter(identity=identity).order_by("reason")
    return list(rows.values_list("reason", "count"))


def assert_refused(response: Response, status: int) -> None:
    assert response.status == status
    assert response.header(b"connection") == b"close"
    assert response.header(b"www-authenticate") == (CHALLENGE if status == 401 else None)


# --- Case 2


def test_unknown_identity_is_404(server: LiveServer, orm: None) -> None:
    """Case 2: an identity nobody knows, with enrolment closed, is refused, kept for staff, and not enrolled."""
    assert_refused(handshake(server, "/ocpp/NOBODY"), 404)
    assert_refused(handshake(server, "/ocpp/NOBODY"), 404)
    until(lambda: refusals("NOBODY"), [("unknown_identity", 2)])
    assert Station.objects.filter(identity="NOBODY").count() == 0


@pytest.mark.parametrize("target", ["/", "/other", "/other/CP", "/ocppx/CP", "/admin/"])
def test_websocket_elsewhere_is_404(server: LiveServer, target: str) -> None:
    assert_refused(handshake(server, target), 404)


# --- Case 57


@pytest.mark.parametrize(
    ("offers", "status", "chosen"),
    [
        (b"ocpp1.6", 101, b"ocpp1.6"),
        (b"ocpp0.1,ocpp1.6", 101, b"ocpp1.6"),
        (b"ocpp2.0.1, ocpp1.6, ocpp1.5", 101, b"ocpp1.6"),
        (b"ocpp0.1", 400, None),
        (b"ocpp2.0.1", 400, None),
        (b"ocpp1.6j", 400, None),
        (b"OCPP1.6", 400, None),
        (b"", 400, None),
    ],
)
def test_subprotocol(server: LiveServer, station: Station, offers: bytes, status: int, chosen: bytes | None) -> None:
    """Case 57: one that was offered and that we speak, else 400; never one that was not offered."""
    response = handshake(server, f"/ocpp/{station.identity}", offers=offers)
    assert response.status == status
    assert response.header(b"sec-websocket-protocol") == chosen


def test_missing_subprotocol_is_kept_for_staff(server: LiveServer, station: Station) -> None:
    assert_refused(handshake(server, f"/ocpp/{station.identity}", offers=b""), 400)
    until(lambda: refusals(station.identity), [("no_subprotocol", 1)])


@pytest.mark.parametrize(
    ("offers", "chosen"),
    [(b"", None), (b"ocpp1.6j", b"ocpp1.6j"), (b"ocpp1.5", None), (b"ocpp1.6j,ocpp1.6", b"ocpp1.6")],
)
def test_subprotocol_of_a_station_assumed_to_speak_16(
    server: LiveServer, orm: None, offers: bytes, chosen: bytes | None
) -> None:
    """Case 57, decision 1: TinyWebsockets offers none, arthexis an alias."""
    station = make_station(assumed_version="ocpp1.6")
    response = handshake(server, f"/ocpp/{station.identity}", offers=offers)
    assert response.status == 101
    assert response.header(b"sec-websocket-protocol") == chosen


# --- Case 58


@pytest.mark.parametrize(
    ("identity", "target"),
    [
        ("RDAM|123", "/ocpp/RDAM%7C123"),
        ("RDAM 124", "/ocpp/RDAM%20124"),
        ("Säule 1", "/ocpp/S%C3%A4ule%201"),
        ("100%", "/ocpp/100%25"),
        ("A/B", "/ocpp/A%2FB"),
        ("SLASHES-1", "/ocpp//SLASHES-1"),
        ("SLASHES-2", "/ocpp/SLASHES-2/"),
        ("SLASHES-3", "//ocpp///SLASHES-3//"),
        ("EXTRA-1", "/ocpp/1.6/EXTRA-1"),
        ("QUERY-1", "/ocpp/QUERY-1?token=x"),
        ("CASE-1", "/ocpp/case-1"),
        ("OPENEMS-1", "/ocpp/ws://host/OPENEMS-1"),
        ("WHOLE-URL-1", "ws://host:9000/ocpp/WHOLE-URL-1"),
    ],
)
def test_identity_in_the_url(server: LiveServer, orm: None, identity: str, target: str) -> None:
    """Case 58: the last segment that is not empty, decoded once; of any case."""
    station = make_station(identity)
    with Client(server.port) as client:
        assert client.request(target.encode(), OCPP16).status == 101
        station.refresh_from_db()
        assert station.is_online
        client.send(TEXT, b'[2,"1","Heartbeat",{}]')
        assert client.receive()[1].startswith(b'[3,"1",{"currentTime":')


UNREADABLE = ["", "/", "//", "/%zz", "/%", "/A%4", "/%00", "/A%0AB", "/%20", "/%FF%FE", "/%1B%5B31m"]


@pytest.mark.parametrize("target", [*UNREADABLE, "/" + "X" * 256, "/" + "%C3%A4" * 256])
def test_unreadable_identity_is_404(server: LiveServer, orm: None, target: str) -> None:
    """Case 58: bad escapes, control characters, nothing at all, over 255 characters."""
    assert_refused(handshake(server, "/ocpp" + target), 404)


def test_unreadable_identity_is_kept_for_staff(server: LiveServer, orm: None) -> None:
    assert_refused(handshake(server, "/ocpp/REFUSED%00%zz"), 404)
    until(lambda: refusals("/ocpp/REFUSED%00%zz"), [("bad_identity", 1)])


@pytest.mark.parametrize(
    ("identity", "target", "username"),
    [
        ("AUTH|1", "/ocpp/AUTH%7C1", "AUTH|1"),
        ("AUTH 2", "/ocpp/AUTH%202", "AUTH 2"),
        ("ÄUTH-3", "/ocpp/%C3%84UTH-3", "ÄUTH-3"),
        ("AUTH-4", "/ocpp/auth-4", "auth-4"),
    ],
)
def test_username_is_compared_with_the_decoded_identity(
    server: LiveServer, orm: None, identity: str, target: str, username: str
) -> None:
    """Case 58."""
    make_station(identity, password_hash=hash_password("0123456789abcdef"))
    assert handshake(server, target, basic(username.encode(), b"0123456789abcdef")).status == 101


def test_username_as_in_the_url_is_401(server: LiveServer, orm: None) -> None:
    make_station("AUTH|5", password_hash=hash_password("0123456789abcdef"))
    assert_refused(handshake(server, "/ocpp/AUTH%7C5", basic(b"AUTH%7C5", b"0123456789abcdef")), 401)


# --- Case 59


def authorization(value: bytes) -> bytes:
    return b"Authorization: " + value


GOOD = b"0123456789:abcde"  # 16 bytes, with a colon


BAD_CREDENTIALS = [
    (None, "no_credentials"),
    (basic(b"IDENTITY", b"wrong-wrong-wrong"), "wrong_password"),
    (basic(b"IDENTITY", b""), "wrong_password"),
    (basic(b"IDENTITY", b"\xff\xfe\x00\x80"), "wrong_password"),
    (basic(b"SOMEBODY", GOOD), "wrong_username"),
    (basic(b"\xff\xfe", GOOD), "wrong_username"),
    (basic(b"", GOOD), "wrong_username"),
    (authorization(b"Bearer " + base64.b64encode(b"IDENTITY:" + GOOD)), "bad_credentials"),
    (authorization(b"Basic " + base64.b64encode(b"no colon in here")), "bad_credentials"),
    (authorization(b"Basic !!!not base64!!!"), "bad_credentials"),
    (authorization(b"Basic"), "bad_credentials"),
    (authorization(b""), "bad_credentials"),
]


@pytest.mark.parametrize("header", [header for header, _ in BAD_CREDENTIALS])
def test_bad_credentials_are_401(server: LiveServer, orm: None, header: bytes | None) -> None:
    """Case 59: refused with a challenge; the right ones are accepted afterwards."""
    station = make_station(password_hash=hash_password(GOOD.decode()))
    target, identity = f"/ocpp/{station.identity}", station.identity.encode()
    assert_refused(handshake(server, target, *_for(identity, header)), 401)
    assert handshake(server, target, basic(identity, GOOD)).status == 101


def test_bad_credentials_are_kept_for_staff(server: LiveServer, orm: None) -> None:
    expected = {}
    for header, reason in BAD_CREDENTIALS:
        station = make_station(password_hash=hash_password(GOOD.decode()))
        expected[station.identity] = [(reason, 1)]
        handshake(server, f"/ocpp/{station.identity}", *_for(station.identity.encode(), header))
    until(lambda: {identity: refusals(identity) for identity in expected}, expected)


def _for(identity: bytes, header: bytes | None) -> list[bytes]:
    """Put the real identity in the place of IDENTITY."""
    if header is None:
        return []
    scheme, _, encoded = header.removeprefix(b"Authorization: ").partition(b" ")
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except ValueError:
        return [header]
    encoded = base64.b64encode(decoded.replace(b"IDENTITY", identity))
    return [authorization(scheme + b" " + encoded).rstrip()]


@pytest.mark.parametrize(
    ("stored", "sent"),
    [
        ("0123456789:abcde", b"0123456789:abcde"),
        (":::::::::::::::::", b":::::::::::::::::"),
        ("pässwörd-0123456", "pässwörd-0123456".encode()),
        (HEX_KEY, bytes.fromhex(HEX_KEY)),
        (HEX_KEY, HEX_KEY.encode()),
        (HEX_KEY, HEX_KEY.upper().encode()),
        ("ff" * 20, b"\xff" * 20),
        ("00" * 16, b"\x00" * 16),
        ("3a" * 16, b":" * 16),
    ],
)
def test_password_is_compared_as_bytes(server: LiveServer, orm: None, stored: str, sent: bytes) -> None:
    """Case 59, decision 2: colons, binary keys, and 32-40 hex digits for 16-20 bytes, sent as either."""
    station = make_station(password_hash=hash_password(stored))
    header = basic(station.identity.encode(), sent)
    assert handshake(server, f"/ocpp/{station.identity}", header).status == 101


@pytest.mark.parametrize("scheme", [b"Basic", b"basic", b"BASIC", b"Basic:"])
def test_scheme_of_any_spelling_is_accepted(server: LiveServer, orm: None, scheme: bytes) -> None:
    station = make_station(password_hash=hash_password("0123456789abcdef"))
    encoded = base64.b64encode(station.identity.encode() + b":0123456789abcdef")
    header = authorization(scheme + b" " + encoded)
    assert handshake(server, f"/ocpp/{station.identity}", header).status == 101


def test_username_is_not_checked_where_staff_say_so(server: LiveServer, orm: None) -> None:
    station = make_station(password_hash=hash_password("0123456789abcdef"), allow_any_username=True)
    target = f"/ocpp/{station.identity}"
    assert handshake(server, target, basic(b"\xffwhoever", b"0123456789abcdef")).status == 101
    assert_refused(handshake(server, target, basic(b"\xffwhoever", b"0123456789abcdeX")), 401)


@pytest.mark.parametrize(
    "header",
    [basic(b"IDENTITY", b"whatever"), basic(b"SOMEBODY", b""), authorization(b"Basic"), authorization(b"Bearer x")],
)
def test_station_without_password_may_send_anything(server: LiveServer, station: Station, header: bytes) -> None:
    """No password is demanded of it, so none is wrong."""
    assert handshake(server, f"/ocpp/{station.identity}", header).status == 101


# --- Case 64


def test_second_connection_takes_over(plug: Callable[..., Charger], station: Station) -> None:
    """Case 64: the newest wins, the old one is closed, and its end does not mark the station offline."""
    old = plug(station)
    old.boot()
    new = plug(station)
    with pytest.raises(ConnectionClosed) as closed:
        old.receive()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1000
    old.close()
    assert new.result("StatusNotification", {"connectorId": 1, "status": "Available", "errorCode": "NoError"}) == {}
    time.sleep(0.3)  # the old one's leave is written behind its close
    station.refresh_from_db()
    assert station.is_online
    assert station.connection_epoch == 3


def test_connections_that_fight_leave_the_last_one(plug: Callable[..., Charger], station: Station) -> None:
    """Case 64: a charger that redials in a loop without closing."""
    chargers = [plug(station) for _ in range(10)]
    assert list(chargers[-1].result("Heartbeat", {})) == ["currentTime"]
    for charger in chargers[:-1]:
        with pytest.raises(ConnectionClosed):
            charger.receive()
    station.refresh_from_db()
    assert station.is_online
    chargers[-1].close()
    until(lambda: Station.objects.get(pk=station.pk).is_online, False)


# --- §4, connection level


def test_connection_without_connection_header(server: LiveServer, station: Station) -> None:
    """Autel sends no `Connection: Upgrade` (lbbrhzn#1984)."""
    lines = [line for line in UPGRADE if not line.startswith(b"Connection")]
    assert handshake(server, f"/ocpp/{station.identity}", lines=lines).status == 101


def test_header_of_64_kilobytes_is_refused(server: LiveServer, station: Station) -> None:
    padding = [b"X-Padding-%d: %s" % (number, b"x" * 1000) for number in range(64)]
    assert handshake(server, f"/ocpp/{station.identity}", *padding).status == 400
    assert handshake(server, f"/ocpp/{station.identity}").status == 101


@pytest.mark.parametrize("target", ["/ocpp/CP", "/ocpp", "/ocpp/", "/ocpp//CP/"])
def test_plain_get_is_told_to_upgrade(server: LiveServer, target: str) -> None:
    """A browser or a probe at the charger's address: 426, not a page that says it is not there."""
    response = handshake(server, target, lines=[b"Host: localhost", b"Connection: close"], offers=b"")
    assert response.status == 426
    assert response.header(b"upgrade") == b"websocket"


def test_slow_handshake_is_accepted(server: LiveServer, station: Station) -> None:
    """A modem that sends its request in pieces, over a second."""
    request = b"\r\n".join([b"GET /ocpp/%s HTTP/1.1" % station.identity.encode(), *UPGRADE, OCPP16, b"", b""])
    with Client(server.port) as client:
        for at in range(0, len(request), 20):
            client.write(request[at : at + 20])
            time.sleep(0.1)
        response = client.response()
    assert response.status == 101
    assert response.header(b"sec-websocket-accept") == ACCEPT


def test_compression_is_not_negotiated(server: LiveServer, station: Station) -> None:
    """No permessage-deflate, so no bomb."""
    with upgraded(server, station.identity, b"Sec-WebSocket-Extensions: permessage-deflate") as client:
        client.send(TEXT, b"\x00\x00\xff\xff", rsv=4)
        assert client.close_code() == 1002
    response = handshake(
        server, f"/ocpp/{station.identity}", b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
    )
    assert response.header(b"sec-websocket-extensions") is None


def test_connections_at_the_same_instant_leave_one(server: LiveServer, station: Station) -> None:
    """The same identity twenty times at once: every handshake is answered, one connection stays."""
    clients = [Client(server.port) for _ in range(20)]
    request = b"\r\n".join([b"GET /ocpp/%s HTTP/1.1" % station.identity.encode(), *UPGRADE, OCPP16, b"", b""])
    for client in clients:
        client.write(request)
    assert [client.response().status for client in clients] == [101] * 20
    served = 0
    for client in clients:
        client.send(TEXT, b'[2,"1","Heartbeat",{}]')
    for client in clients:
        with client:
            try:
                opcode, payload = client.receive()
            except (EOFError, OSError):
                continue
            served += opcode == TEXT and payload.startswith(b'[3,"1",')
    assert served == 1
    station.refresh_from_db()
    assert station.connection_epoch == 21
