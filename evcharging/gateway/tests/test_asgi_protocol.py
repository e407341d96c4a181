"""A WebSocket and its application over real sockets: frames, failures, back-pressure, the connection handle."""

import json
import random
import select
import statistics
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.raw_client import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Client,
    Server,
    assert_serves,
    connect,
    frame,
    running,
)

pytestmark = pytest.mark.live

MEGABYTE = 1 << 20
LIMIT = 262144


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
