"""The server over real sockets: handshakes, frames, back-pressure, the connection handle, and the end."""

import base64
import json
import random
import select
import signal
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import websockets.exceptions
import websockets.sync.client
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.raw_client import (
    ACCEPT,
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    UPGRADE,
    Client,
    Server,
    command,
    connect,
    frame,
    running,
)

pytestmark = pytest.mark.live

MEGABYTE = 1 << 20
LIMIT = 262144


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all that does not end it, with its defaults; it must be alive and unimpressed at the end."""
    with running(tmp_path_factory.mktemp("server") / "log") as running_server:
        yield running_server
        assert running_server.process.poll() is None


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[Server]:
    """A server whose time limits are short."""
    names = ["handshake_timeout", "connect_timeout", "send_timeout"]
    options = [f"websocket_{name}=0.5" for name in names]
    with running(tmp_path / "log", *options, "application_close_timeout=0.5") as running_server:
        yield running_server


def assert_serves(server: Server, within_s: float = 1) -> None:
    started = time.monotonic()
    with connect(server, "/ocpp/other") as client:
        client.send(TEXT, b'[2,"1","Heartbeat",{}]')
        assert client.receive() == (TEXT, b'[3,"1",{}]')
    assert time.monotonic() - started < within_s


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


# --- Frames


@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, b"x", mask=None),
        frame(TEXT, b"x" * 200, mask=None),
        frame(TEXT, b"x", rsv=4),
        frame(TEXT, b"x", rsv=2),
        frame(3, b"x"),
        frame(11, b"x"),
        frame(CONTINUATION, b"x"),
        frame(TEXT, b"x", fin=False) + frame(TEXT, b"y"),
        frame(PING, b"x" * 126),
        frame(PING, b"x" * 70000),
        frame(PING, b"x", fin=False),
        b"\x81\xfe\x00\x05" + b"\0\0\0\0" + b"hello",
        b"\x81\xff" + struct.pack("!Q", 5) + b"\0\0\0\0" + b"hello",
        b"\x81\xff" + struct.pack("!Q", 1 << 63) + b"\0\0\0\0",
        frame(CLOSE, b"x"),
        frame(CLOSE, struct.pack("!H", 1005)),
        frame(CLOSE, struct.pack("!H", 999)),
        frame(CLOSE, struct.pack("!H", 1014)),  # registered after RFC 6455
        frame(CLOSE, struct.pack("!H", 2000)),
    ],
)
def test_broken_framing_closes_1002(server: Server, data: bytes) -> None:
    with connect(server, "/echo") as client:
        client.write(data + frame(TEXT, b"not answered"))
        assert client.close_code() == 1002


@pytest.mark.parametrize(
    "text", [b"Lades\xe4ule", b"\xed\xa0\x81\xed\xb0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"cut \xe2\x82"]
)
def test_text_that_is_not_utf_8_closes_1007(server: Server, text: bytes) -> None:
    with connect(server, "/echo") as client:
        client.write(frame(TEXT, text) + frame(TEXT, b"not answered"))
        assert client.close_code() == 1007
    with connect(server, "/echo") as client:
        client.write(frame(TEXT, text[:-1], fin=False) + frame(CONTINUATION, text[-1:]))
        assert client.close_code() == 1007


@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, b"x" * (LIMIT + 1)),
        frame(TEXT, b"x" * LIMIT, fin=False) + frame(CONTINUATION, b"x"),
        b"\x81\xff" + struct.pack("!Q", 1 << 40) + b"\0\0\0\0",
        b"\x81\xff" + struct.pack("!Q", 1 << 40) + b"\0\0\0\0" + b"x" * 100000,
    ],
)
def test_message_over_the_limit_closes_1009_and_allocates_nothing(server: Server, data: bytes) -> None:
    before = server.rss
    with connect(server, "/echo") as client:
        client.write(data)
        assert client.close_code() == 1009
    assert server.rss - before < 2 * MEGABYTE


def test_limit_is_an_option(tmp_path: Path) -> None:
    with running(tmp_path / "log", "websocket_max_message_size=100") as server, connect(server, "/echo") as client:
        client.send(TEXT, b"x" * 100)
        assert client.receive() == (TEXT, b"x" * 100)
        client.send(TEXT, b"x" * 101)
        assert client.close_code() == 1009


@pytest.mark.parametrize("size", [0, 1, 2, 125, 126, 127, 1535, 1536, 1537, 16384, 16385, 65535, 65536, LIMIT])
def test_message_of_any_size_is_echoed(server: Server, size: int) -> None:
    payload = random.Random(size).randbytes(size).hex()[:size].encode()
    with connect(server, "/echo") as client:
        for mask in (b"\0\0\0\0", b"\xff\x01\x80\x7f"):
            client.write(frame(TEXT, payload, mask=mask))
            assert client.receive() == (TEXT, payload)


def test_frames_in_one_segment_and_byte_by_byte_are_echoed(server: Server) -> None:
    texts = [b"", b"a", "ä€😀".encode(), b"x" * 126]
    data = b"".join(frame(TEXT, text) for text in texts)
    with connect(server, "/echo") as client:
        client.write(data)
        assert [client.receive() for _ in texts] == [(TEXT, text) for text in texts]
        for byte in data:
            client.write(bytes([byte]))
            time.sleep(0.001)
        assert [client.receive() for _ in texts] == [(TEXT, text) for text in texts]


def test_fragments_with_a_ping_between_are_one_message_and_a_pong(server: Server) -> None:
    euro = "€".encode()
    with connect(server, "/echo") as client:
        client.send(TEXT, b"a" + euro[:1], fin=False)
        client.send(PING, b"beat")
        client.send(CONTINUATION, b"", fin=False)
        client.send(CONTINUATION, euro[1:])
        assert client.receive() == (PONG, b"beat")
        assert client.receive() == (TEXT, b"a" + euro)


def test_binary_reaches_the_application_as_bytes(server: Server) -> None:
    with connect(server, "/echo") as client:
        client.send(BINARY, b"\xff\x00")
        assert client.receive() == (BINARY, b"\xff\x00")


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1008, 1012, 1013, 4000])
def test_application_closes_with_any_code_and_a_reason(server: Server, code: int) -> None:
    with connect(server, f"/close-with/{code}") as client:
        client.write(frame(TEXT, b"late") + frame(CLOSE, struct.pack("!H", code)))
        assert client.receive() == (CLOSE, struct.pack("!H", code) + b"enough")
        assert client.read_to_end() == b""


def test_application_that_closed_gets_no_more_messages(tmp_path: Path) -> None:
    with running(tmp_path / "log") as server, connect(server, "/close-and-listen") as client:
        client.write(frame(TEXT, b"one") + frame(TEXT, b"two"))
        assert client.receive() == (CLOSE, struct.pack("!H", 1003))
        server.wait_for_log('next {"type": "websocket.disconnect", "code": 1003, "reason": ""}\n', timeout_s=1)


@pytest.mark.parametrize(
    ("payload", "answer", "told"),
    [(struct.pack("!H", 1001) + b"bye", struct.pack("!H", 1001) + b"bye", 1001), (b"", b"", 1005)],
)
def test_close_by_the_peer_is_echoed_and_told(tmp_path: Path, payload: bytes, answer: bytes, told: int) -> None:
    with running(tmp_path / "log") as server, connect(server, "/echo") as client:
        client.send(CLOSE, payload)
        assert client.receive() == (CLOSE, answer)
        assert client.read_to_end() == b""
        server.wait_for_log(f"closed {told}\n")


def test_connection_lost_is_told_as_1006_behind_what_came_before(tmp_path: Path) -> None:
    with running(tmp_path / "log") as server:
        with connect(server, "/slow-answer") as client:
            client.send(TEXT, b"last words")
        server.wait_for_log("finished 1006\n")


def test_broken_frame_is_told_with_its_code_at_once(tmp_path: Path) -> None:
    with running(tmp_path / "log") as server, connect(server, "/echo") as client:
        client.send(CONTINUATION)
        server.wait_for_log("closed 1002\n", timeout_s=1)


# --- Applications that fail


def test_crash_closes_1012_and_is_logged(server: Server) -> None:
    with connect(server, "/crash") as client:
        client.send(TEXT, b"go")
        assert client.receive() == (CLOSE, struct.pack("!H", 1012))
    server.wait_for_log("RuntimeError: crash in the middle")
    assert_serves(server)


def test_log_of_a_crash_has_no_line_of_the_peers_making(server: Server) -> None:
    with Client(server.port) as client:
        assert client.request(b"/crash-before-accept/%0AINFO%1B[2J\x9b").status == 500
    server.wait_for_log("/crash-before-accept/%0AINFO%1B[2J\\x9b: the application failed\n")


def test_exit_in_an_application_ends_its_socket_only(server: Server) -> None:
    with connect(server, "/exit") as client:
        assert client.receive() == (CLOSE, struct.pack("!H", 1012))
    assert_serves(server)


def test_crash_in_an_http_response_ends_its_connection_each_time(server: Server) -> None:
    for _ in range(2):
        with Client(server.port) as client, pytest.raises(ConnectionResetError):
            client.request(b"/http-crash", lines=[b"Host: localhost"])
    server.wait_for_log("RuntimeError: crash in a response")


def test_application_that_returns_closes_1000(server: Server) -> None:
    with connect(server, "/return-early") as client:
        assert client.receive() == (CLOSE, struct.pack("!H", 1000))


def test_application_that_outlives_its_socket_is_killed(hasty: Server) -> None:
    connect(hasty, "/stubborn").socket.close()
    hasty.wait_for_log("/stubborn: the application did not end in time and is cancelled")


def test_garbage_never_stops_the_server(server: Server) -> None:
    chance = random.Random(16)
    before = server.log.read_text().count("Traceback")
    for _ in range(150):
        with connect(server, "/echo") as client:
            valid = frame(chance.choice([TEXT, BINARY, CONTINUATION, PING, PONG, CLOSE]), chance.randbytes(20))
            garbage = bytearray(valid * 3 + chance.randbytes(chance.randrange(200)))
            garbage[chance.randrange(len(garbage))] ^= 1 << chance.randrange(8)
            client.write(bytes(garbage))
    assert_serves(server)
    assert server.log.read_text().count("Traceback") == before


# --- Back-pressure


FLOODS = {
    "small texts": frame(TEXT, b"") * 10000,
    "texts": frame(TEXT, b'[2,"1","Heartbeat",{}]') * 2000,
    "largest texts": frame(TEXT, b"x" * LIMIT),
    "pings": frame(PING, b"x" * 125) * 500,
    "empty pings": frame(PING) * 10000,
}


@pytest.mark.parametrize(("flood", "path"), [("small texts", "/deaf"), ("texts", "/deaf"), ("largest texts", "/deaf")])
def test_flood_an_application_does_not_take_is_not_buffered(server: Server, flood: str, path: str) -> None:
    with connect(server, path) as client:
        before = server.rss
        assert client.write_until_blocked(FLOODS[flood], limit=100 * MEGABYTE) < 20 * MEGABYTE
        assert server.rss - before < 3 * MEGABYTE
        assert_serves(server)


@pytest.mark.parametrize("flood", ["texts", "largest texts", "pings"])
def test_flood_by_a_peer_that_does_not_read_is_not_buffered(server: Server, flood: str) -> None:
    with connect(server, "/echo") as client:
        before = server.rss
        assert client.write_until_blocked(FLOODS[flood], limit=100 * MEGABYTE) < 30 * MEGABYTE
        assert server.rss - before < 3 * MEGABYTE
        assert_serves(server)


@pytest.mark.parametrize("flood", ["small texts", "empty pings"])
def test_flood_of_the_cheapest_frames_slows_nobody_else(server: Server, flood: str) -> None:
    with connect(server, "/echo") as client, connect(server, "/ocpp/other") as other:
        before = server.rss
        client.socket.setblocking(False)
        deadline, delays = time.monotonic() + 2, []
        while time.monotonic() < deadline:
            for _ in range(20):
                if select.select([], [client.socket], [], 0)[1]:
                    client.socket.send(FLOODS[flood])
                if select.select([client.socket], [], [], 0)[0]:
                    client.socket.recv(1 << 20)
            started = time.monotonic()
            other.send(TEXT, b'[2,"1","Heartbeat",{}]')
            assert other.receive() == (TEXT, b'[3,"1",{}]')
            delays.append(time.monotonic() - started)
        assert server.rss - before < 3 * MEGABYTE
    assert statistics.median(delays) < 0.1
    assert len(delays) > 10


def test_message_of_many_empty_fragments_is_one_message(server: Server) -> None:
    with connect(server, "/echo") as client, connect(server, "/ocpp/other") as other:
        client.write(frame(TEXT, b"x", fin=False) + frame(CONTINUATION, fin=False) * 20000)
        started = time.monotonic()
        other.send(TEXT, b'[2,"1","Heartbeat",{}]')
        assert other.receive() == (TEXT, b'[3,"1",{}]')
        assert time.monotonic() - started < 0.25
        client.send(CONTINUATION, b"y")
        assert client.receive() == (TEXT, b"xy")


def test_paused_socket_loses_nothing(server: Server) -> None:
    texts = [b"%06d" % number * 200 for number in range(10000)]
    data = b"".join(frame(TEXT, text) for text in texts)
    with connect(server, "/echo") as client, ThreadPoolExecutor() as threads:
        written = threads.submit(client.write, data)
        time.sleep(0.5)  # by now nobody moves: we do not read, so the server does not either
        assert not written.done()
        assert [client.receive() for _ in texts] == [(TEXT, text) for text in texts]


def test_messages_waiting_are_read_on_when_the_application_catches_up(server: Server) -> None:
    texts = [b"%d" % number for number in range(2000)]
    with connect(server, "/accept-slowly") as client:
        client.write(b"".join(frame(TEXT, text) for text in texts))
        assert [client.receive()[1] for _ in texts] == texts


def test_application_waits_for_a_peer_that_does_not_read(server: Server) -> None:
    with connect(server, "/talkative") as client:
        time.sleep(0.5)
        before = server.rss
        time.sleep(1)
        assert server.rss - before < MEGABYTE
        assert_serves(server)
        assert [client.receive() for _ in range(5000)] == [(TEXT, b"x" * 1000)] * 5000


def test_peer_that_never_reads_is_dropped(hasty: Server) -> None:
    with connect(hasty, "/talkative") as client:
        hasty.wait_for_log("/talkative: aborted, the peer does not read")
        with pytest.raises((EOFError, ConnectionResetError)):
            while True:
                client.receive()


# --- TLS, where the transport is another one


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key and its certificate for localhost in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + timedelta(hours=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    encoding, no_encryption = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, no_encryption)
    path = tmp_path / "certificate.pem"
    path.write_bytes(private + builder.sign(key, hashes.SHA256()).public_bytes(encoding))
    return path


def test_tls_endpoint_serves_alike(tmp_path: Path, certificate: Path) -> None:
    endpoint = f"ssl:port=0:interface=127.0.0.1:privateKey={certificate}:certKey={certificate}"
    with running(tmp_path / "log", f'endpoints=["{endpoint}"]') as server:
        context = ssl.create_default_context(cafile=certificate)
        url = f"wss://localhost:{server.port}"

        def open_socket(path: str) -> websockets.sync.client.ClientConnection:
            return websockets.sync.client.connect(url + path, ssl=context)

        with open_socket("/scope") as websocket:
            assert json.loads(websocket.recv())["scheme"] == "wss"
        with open_socket("/echo") as websocket:
            for text in ("x", "x" * 200000):
                websocket.send(text)
                assert websocket.recv() == text
        with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
            open_socket("/refuse/401")
        assert refused.value.response.status_code == 401
        with open_socket("/echo") as websocket:
            websocket.send("x" * (LIMIT + 1))
            with pytest.raises(websockets.exceptions.ConnectionClosedError) as closed:
                websocket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


# --- The connection handle


def test_handle_pings_and_a_pong_counts_as_a_frame(server: Server) -> None:
    with connect(server, "/handle") as client:
        client.send(TEXT, b"ping")
        assert client.receive() == (PING, b"")
        report = json.loads(client.receive()[1])
        assert 0.15 < report["age"] < 1
        assert (report["buffered"], report["paused"]) == (0, False)


@pytest.mark.parametrize("opcode", [PING, PONG, TEXT, BINARY])
def test_any_frame_counts_as_life(server: Server, opcode: int) -> None:
    with connect(server, "/watch") as client:
        time.sleep(0.3)
        while float(client.receive()[1]) < 0.25:
            pass
        client.send(opcode, b"x")
        frames = [client.receive() for _ in range(8)]
        assert min(float(payload) for kind, payload in frames if kind == TEXT) < 0.1


def test_handle_aborts_the_connection(server: Server) -> None:
    with connect(server, "/handle") as client:
        client.send(TEXT, b"abort")
        with pytest.raises((EOFError, ConnectionResetError)):
            client.receive()


def test_idle_socket_is_neither_pinged_nor_closed(hasty: Server) -> None:
    with connect(hasty, "/echo") as client:
        assert select.select([client.socket], [], [], 3) == ([], [], [])
        client.send(TEXT, b"still here")
        assert client.receive() == (TEXT, b"still here")


# --- Listening and the end


def test_backlog_holds_a_storm(tmp_path: Path) -> None:
    with running(tmp_path / "log") as server:
        server.process.send_signal(signal.SIGSTOP)
        clients = [Client(server.port) for _ in range(500)]
        for client in clients:
            client.write(b"\r\n".join([b"GET /echo HTTP/1.1", *UPGRADE, b"", b""]))
        server.process.send_signal(signal.SIGCONT)
        assert [client.response().status for client in clients] == [101] * 500
        for client in clients:
            client.socket.close()


def test_taken_port_is_one_line_and_exit_code_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(command(port=port), capture_output=True, timeout=20, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr == f"Couldn't listen on 127.0.0.1:{port}: [Errno 98] Address already in use.\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_closes_sockets_with_1001_and_exits_0(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path / "log") as server:
        clients = [connect(server, "/echo") for _ in range(20)]
        started = time.monotonic()
        server.process.send_signal(number)
        for client in clients:
            assert client.receive() == (CLOSE, struct.pack("!H", 1001))
            client.send(CLOSE, struct.pack("!H", 1001))
            assert client.read_to_end() == b""
            client.socket.close()
        assert server.process.wait(5) == 0
        assert time.monotonic() - started < 1
        assert server.log.read_text().splitlines()[1:] == ["closed 1001"] * 20 + ["stopped"]
        with pytest.raises(ConnectionRefusedError):
            Client(server.port)


def test_stop_sends_the_answers_to_what_was_received(tmp_path: Path) -> None:
    with running(tmp_path / "log") as server, connect(server, "/slow-answer") as client:
        client.write(frame(TEXT, b"one") + frame(TEXT, b"two"))
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        client.send(TEXT, b"three")  # too late: the station keeps it
        assert client.receive() == (TEXT, b"committed one")
        assert client.receive() == (TEXT, b"committed two")
        assert client.receive() == (CLOSE, struct.pack("!H", 1001))
        client.send(CLOSE, struct.pack("!H", 1001))
        assert client.read_to_end() == b""
        assert server.process.wait(5) == 0
        assert server.log.read_text().splitlines()[1:] == ["finished 1001", "stopped"]


def test_stop_refuses_handshakes_with_503(tmp_path: Path) -> None:
    with running(tmp_path / "log") as server, connect(server, "/slow-answer") as busy, Client(server.port) as late:
        late.write(b"GET /echo HTTP/1.1\r\n")
        with Client(server.port) as undecided:
            undecided.write(b"\r\n".join([b"GET /accept-slowly HTTP/1.1", *UPGRADE, b"", b""]))
            busy.send(TEXT, b"one")
            time.sleep(0.1)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
            late.write(b"\r\n".join([*UPGRADE, b"", b""]))
            assert late.response().status == 503
            assert undecided.response().status == 503


def test_stop_kills_applications_that_do_not_end(hasty: Server) -> None:
    with connect(hasty, "/stubborn") as client:
        hasty.process.send_signal(signal.SIGTERM)
        assert client.receive() == (CLOSE, struct.pack("!H", 1001))
    assert hasty.process.wait(5) == 0
    hasty.wait_for_log("Cancelled 1 applications")


def test_second_signal_does_not_wait_for_applications(tmp_path: Path) -> None:
    with running(tmp_path / "log") as server:
        with connect(server, "/stubborn") as client:
            started = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            server.process.send_signal(signal.SIGTERM)
            assert client.receive() == (CLOSE, struct.pack("!H", 1001))
        assert server.process.wait(5) == 0
    assert time.monotonic() - started < 3


def test_server_runs_on_uvloop_and_leaves_others_their_loop() -> None:
    code = """
import asyncio
from evcharging.gateway.websocket.event_loop import twisted_loop
from twisted.internet import reactor
print(type(twisted_loop).__module__, reactor._asyncioEventloop is twisted_loop)
print(type(asyncio.new_event_loop()).__module__)
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["uvloop", "True", "asyncio.unix_events"]
