"""Handshakes over real sockets: accepted, or refused with a status, headers and a body."""

import base64
import json
import time
from pathlib import Path

import pytest
import websockets.exceptions
import websockets.sync.client

from tests.support.raw_client import (
    ACCEPT,
    TEXT,
    UPGRADE,
    Client,
    Server,
    assert_serves,
    connect,
    frame,
    running,
)

pytestmark = pytest.mark.live

MEGABYTE = 1 << 20


# --- Refusals


@pytest.mark.parametrize("status", [400, 401, 404, 429, 503])
def test_refusal_has_status_headers_and_body_of_the_application(server: Server, status: int) -> None:
    with Client(server.port) as client:
        response = client.request(b"/refuse/%d" % status)
    assert response.status == status
    assert response.header(b"www-authenticate") == b'Basic realm="ocpp"'
    assert response.header(b"content-length") == b"7"
    assert response.header(b"connection") == b"close"
    assert response.body == b"not you"


def test_refusal_with_401_is_seen_by_a_common_client(server: Server) -> None:
    with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
        websockets.sync.client.connect(f"ws://127.0.0.1:{server.port}/refuse/401")
    assert refused.value.response.status_code == 401
    assert refused.value.response.headers["WWW-Authenticate"] == 'Basic realm="ocpp"'


def test_close_before_accept_is_403(server: Server) -> None:
    with Client(server.port) as client:
        assert client.request(b"/close-before-accept").status == 403


def test_crash_before_accept_is_500_and_logged(server: Server) -> None:
    with Client(server.port) as client:
        assert client.request(b"/crash-before-accept").status == 500
    server.wait_for_log("RuntimeError: crash before accept")


def test_accept_of_a_subprotocol_not_offered_is_500(server: Server) -> None:
    with Client(server.port) as client:
        assert client.request(b"/accept-wrong-subprotocol", b"Sec-WebSocket-Protocol: ocpp1.6").status == 500


def test_application_that_does_not_decide_is_503(hasty: Server) -> None:
    with Client(hasty.port) as client:
        assert client.request(b"/silent").status == 503
    hasty.wait_for_log("/silent: the application did not end in time and is cancelled")


# --- Handshakes


def test_accept_answers_key_and_subprotocol(server: Server) -> None:
    with Client(server.port) as client:
        response = client.request(b"/echo", b"Sec-WebSocket-Protocol: ocpp1.6, ocpp1.5")
    assert response.status == 101
    assert response.header(b"sec-websocket-accept") == ACCEPT
    assert response.header(b"sec-websocket-protocol") == b"ocpp1.6"


def test_accept_without_subprotocol_names_none(server: Server) -> None:
    with Client(server.port) as client:
        assert client.request(b"/echo").header(b"sec-websocket-protocol") is None


def test_accept_sends_headers_of_the_application(server: Server) -> None:
    with Client(server.port) as client:
        response = client.request(b"/accept-with-headers")
    assert (response.header(b"x-one"), response.header(b"x-two")) == (b"1", b"2")


def test_compression_is_never_negotiated(server: Server) -> None:
    with Client(server.port) as client:
        response = client.request(b"/echo", b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
    assert response.header(b"sec-websocket-extensions") is None
    with websockets.sync.client.connect(f"ws://127.0.0.1:{server.port}/echo") as websocket:
        assert websocket.protocol.extensions == []
        websocket.send("hello")
        assert websocket.recv() == "hello"


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([line for line in UPGRADE if not line.startswith(b"Connection")], 101),  # Autel
        ([line.replace(b": Upgrade", b": keep-alive, upgrade") for line in UPGRADE], 101),
        ([*UPGRADE, b"Origin: charger"], 101),  # no host in it
        ([line for line in UPGRADE if not line.startswith(b"Host")], 101),
        ([*UPGRADE, b"Host: other"], 101),
        ([line.replace(b"Upgrade: websocket", b"Upgrade: h2c, WebSocket") for line in UPGRADE], 101),
        ([line.replace(b"13", b"8") for line in UPGRADE], 101),
        ([*UPGRADE, b"Sec-WebSocket-Protocol: ocpp1.6, ocpp1.6"], 101),
        ([*UPGRADE, b"Sec-WebSocket-Protocol: ocpp1.6,"], 101),
        ([*UPGRADE, b"Sec-WebSocket-Protocol: ocpp\xe4"], 400),
        ([*UPGRADE, b"Sec-WebSocket-Protocol: ocpp 1.6"], 400),
        ([line for line in UPGRADE if b"Key" not in line], 400),
        ([*UPGRADE, UPGRADE[3]], 400),  # two keys
        ([line.replace(b"==", b"\xe4=") for line in UPGRADE], 400),
        ([line.replace(b"==", b"") for line in UPGRADE], 400),
        ([line for line in UPGRADE if b"Version" not in line], 400),
        ([line.replace(b"13", b"12") for line in UPGRADE], 400),
    ],
)
def test_handshake_with_unusual_headers(server: Server, lines: list[bytes], status: int) -> None:
    with Client(server.port) as client:
        assert client.request(b"/echo", lines=lines).status == status


def test_handshake_may_follow_another_request_of_its_connection(server: Server) -> None:
    upgrade = b"\r\n".join([b"GET /echo HTTP/1.1", *UPGRADE, b"", b""])
    with Client(server.port) as client:
        client.write(b"GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n" + upgrade + frame(TEXT, b"early"))
        while b"HTTP/1.1 101 " not in client.buffer:
            client.fill()
        page, _, client.buffer = client.buffer.partition(b"HTTP/1.1 101 ")
        assert page.startswith(b"HTTP/1.1 426 ")
        assert b"speak WebSocket" in page
        while b"\r\n\r\n" not in client.buffer:
            client.fill()
        client.buffer = client.buffer.partition(b"\r\n\r\n")[2]
        assert client.receive() == (TEXT, b"early")


def test_handshake_by_post_is_405(server: Server) -> None:
    with Client(server.port) as client:
        assert client.request(b"/echo", method=b"POST").status == 405


def test_unsupported_version_is_told_the_supported(server: Server) -> None:
    with Client(server.port) as client:
        response = client.request(b"/echo", lines=[line.replace(b"13", b"12") for line in UPGRADE])
    assert response.header(b"sec-websocket-version") == b"13,8"


def test_plain_get_goes_to_the_http_application(server: Server) -> None:
    with Client(server.port) as client:
        response = client.request(b"/ocpp/CP1", lines=[b"Host: localhost", b"Connection: close"])
    assert (response.status, response.header(b"upgrade")) == (426, b"websocket")


@pytest.mark.parametrize(
    ("target", "raw_path", "path"),
    [
        (b"/scope/CP1", "/scope/CP1", "/scope/CP1"),
        (b"/scope//CP1/", "/scope//CP1/", "/scope//CP1/"),
        (b"/scope/%zz%00", "/scope/%zz%00", "/scope/%zz\0"),
        (b"/scope/%2Fa%20b", "/scope/%2Fa%20b", "/scope//a b"),
        (b"/scope/%C3%A4%ff", "/scope/%C3%A4%ff", "/scope/ä\ufffd"),
        (b"/scope/\xa4", "/scope/\xa4", "/scope/\ufffd"),
        (b"/scope/a;b=c", "/scope/a;b=c", "/scope/a;b=c"),
        (b"/scope/a#b", "/scope/a#b", "/scope/a#b"),
        (b"/scope/ws://host/CP1", "/scope/ws://host/CP1", "/scope/ws://host/CP1"),
        (b"ws://localhost:9000/scope/CP1", "/scope/CP1", "/scope/CP1"),
    ],
)
def test_path_reaches_the_application_as_sent(server: Server, target: bytes, raw_path: str, path: str) -> None:
    with Client(server.port) as client:
        assert client.request(target + b"?a=%zz").status == 101
        scope = json.loads(client.receive()[1])
    assert (scope["raw_path"], scope["path"], scope["query_string"]) == (raw_path, path, "a=%zz")


def test_scope_has_headers_as_sent_and_extensions(server: Server) -> None:
    secret = base64.b64encode(b"CP1:\xff\x00:\x85")
    lines = [b"Authorization: Basic " + secret, b"X-Raw: \xe4\x85\xff", b"X_Joined: 1", b"X-Twice: 1", b"X-Twice: 2"]
    with connect(server, "/scope", *lines) as client:
        scope = json.loads(client.receive()[1])
        client_address = list(client.socket.getsockname())
    headers = [tuple(header) for header in scope["headers"]]
    assert ("authorization", "Basic " + secret.decode()) in headers
    assert ("x-raw", "\xe4\x85\xff") in headers
    assert [value for name, value in headers if name == "x-twice"] == ["1", "2"]
    assert [value for name, value in headers if name == "x_joined"] == []
    assert scope["client"] == client_address
    assert scope["server"] == ["127.0.0.1", server.port]
    assert (scope["type"], scope["scheme"], scope["root_path"]) == ("websocket", "ws", "")
    assert scope["extensions"] == ["evcharging.connection", "websocket.http.response"]


def test_scope_has_the_address_a_proxy_forwards(tmp_path: Path) -> None:
    headers = [
        'proxy_forwarded_address_header="X-Forwarded-For"',
        'proxy_forwarded_port_header="X-Forwarded-Port"',
        'proxy_forwarded_proto_header="X-Forwarded-Proto"',
    ]
    with running(tmp_path / "log", *headers) as server:
        lines = [b"X-Forwarded-For: 192.0.2.7", b"X-Forwarded-Port: 7", b"X-Forwarded-Proto: https"]
        with connect(server, "/scope", *lines) as client:
            scope = json.loads(client.receive()[1])
        with Client(server.port) as client:
            assert client.request(b"/scope", b"X-Forwarded-For: \xff").status == 400
    assert (scope["client"], scope["scheme"]) == (["192.0.2.7", 7], "wss")


def test_header_of_64_kilobytes_is_400(server: Server) -> None:
    with Client(server.port) as client:
        assert client.request(b"/echo", *[b"X-Long: " + b"x" * 1000] * 64).status == 400
    assert_serves(server)


def test_header_line_of_64_kilobytes_ends_the_connection(server: Server) -> None:
    with Client(server.port) as client:
        client.write(b"GET /echo HTTP/1.1\r\nX-Long: " + b"x" * 65536)
        with pytest.raises((EOFError, ConnectionResetError)):
            client.response()
    assert_serves(server)


def test_handshake_byte_by_byte_is_accepted(server: Server) -> None:
    with Client(server.port) as client:
        for byte in b"\r\n".join([b"GET /echo HTTP/1.1", *UPGRADE, b"", b""]):
            client.write(bytes([byte]))
            time.sleep(0.001)
        assert client.response().status == 101


def test_silence_instead_of_a_handshake_ends_the_connection(hasty: Server) -> None:
    with Client(hasty.port) as client:
        client.write(b"GET /echo HTTP/1.1\r\n")
        started = time.monotonic()
        assert client.read_to_end() == b""
    assert 0.4 < time.monotonic() - started < 3


def test_frames_sent_with_the_handshake_are_answered(server: Server) -> None:
    request = b"\r\n".join([b"GET /accept-slowly HTTP/1.1", *UPGRADE, b"", b""])
    with Client(server.port) as client:
        client.write(request + frame(TEXT, b"early"))
        time.sleep(0.05)
        client.send(TEXT, b"GET / HTTP/1.1\r\n\r\n")
        assert client.response().status == 101
        assert client.receive() == (TEXT, b"early")
        assert client.receive() == (TEXT, b"GET / HTTP/1.1\r\n\r\n")


def test_flood_before_accept_is_cut_off(server: Server) -> None:
    before = server.rss
    with Client(server.port) as client:
        client.write(b"\r\n".join([b"GET /silent HTTP/1.1", *UPGRADE, b"", b""]))
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            client.write_until_blocked(frame(TEXT, b"x" * 60000), limit=64 * MEGABYTE)
    assert server.rss - before < 4 * MEGABYTE
