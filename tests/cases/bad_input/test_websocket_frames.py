"""Bad WebSocket frames, raw: each ends its own connection with the right code, and the station can come back."""

from typing import Any

import pytest

from stations.models import Station
from tests.support.charger import Charger
from tests.support.live_server import LiveServer
from tests.support.raw import upgraded
from tests.support.raw_client import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Client

LIMIT = 262_144

HEARTBEAT = b'[2,"h","Heartbeat",{}]'


def close_code(client: Client) -> int:
    """Return the code of the Close frame, which must come next."""
    opcode, payload = client.receive()
    assert opcode == CLOSE, (opcode, payload)
    return int.from_bytes(payload[:2])


def assert_station_comes_back(server: LiveServer, station: Station) -> None:
    with upgraded(server, station.identity) as client:
        client.send(TEXT, HEARTBEAT)
        assert client.receive()[1].startswith(b'[3,"h",')


def test_binary_frame_closes_1003(server: LiveServer, raw: Client, station: Station) -> None:
    raw.send(BINARY, HEARTBEAT)
    assert close_code(raw) == 1003
    assert_station_comes_back(server, station)


@pytest.mark.parametrize(
    "text",
    [
        b'[2,"1","Heartbeat",{"a":"\xff"}]',
        '[2,"1","DataTransfer",{"vendorId":"Zähler"}]'.encode("latin-1"),
        b'[2,"1","DataTransfer",{"vendorId":"\xed\xa0\xbd\xed\xb8\x80"}]',  # CESU-8: an emoji as two surrogates
        b'[2,"1","DataTransfer",{"vendorId":"\xc0\x80"}]',  # Java's NUL
        b"\xf5\x80\x80\x80",
        HEARTBEAT + b"\xc3",
    ],
)
def test_text_that_is_not_utf_8_closes_1007(server: LiveServer, raw: Client, station: Station, text: bytes) -> None:
    raw.send(TEXT, text)
    assert close_code(raw) == 1007
    assert_station_comes_back(server, station)


@pytest.mark.parametrize(
    "frames",
    [
        [{"opcode": TEXT, "payload": HEARTBEAT, "mask": None}],
        [{"opcode": TEXT, "payload": HEARTBEAT, "rsv": 4}],
        [{"opcode": 3}],
        [{"opcode": 11}],
        [{"opcode": CONTINUATION, "payload": HEARTBEAT}],
        [{"opcode": TEXT, "payload": b"[2,", "fin": False}, {"opcode": TEXT, "payload": HEARTBEAT}],
        [{"opcode": PING, "payload": b"x" * 126}],
        [{"opcode": PING, "payload": b"x", "fin": False}],
    ],
    ids=["unmasked", "rsv1", "reserved data", "reserved control", "continuation of nothing", "text in a text",
         "long ping", "fragmented ping"],
)  # fmt: skip
def test_broken_framing_closes_1002(
    server: LiveServer, raw: Client, station: Station, frames: list[dict[str, Any]]
) -> None:
    for options in frames:
        raw.send(**options)
    assert close_code(raw) == 1002
    assert_station_comes_back(server, station)


@pytest.mark.parametrize(
    "data",
    [
        b"\x81\xff" + (LIMIT + 1).to_bytes(8),
        b"\x81\xff" + (2**40).to_bytes(8) + b"\x00\x00\x00\x00",
        b"\x81\xff" + (2**63 - 1).to_bytes(8) + b"\x00\x00\x00\x00",
    ],
)
def test_header_of_a_message_over_the_limit_closes_1009(
    server: LiveServer, raw: Client, station: Station, data: bytes
) -> None:
    """At the header: nothing of it is waited for, nothing allocated."""
    raw.write(data + b"x" * 10)
    assert close_code(raw) == 1009
    assert_station_comes_back(server, station)


def test_fragments_over_the_limit_close_1009(server: LiveServer, raw: Client, station: Station) -> None:
    raw.send(TEXT, b" " * (LIMIT // 2), fin=False)
    raw.send(CONTINUATION, b" " * (LIMIT // 2), fin=False)
    raw.send(CONTINUATION, HEARTBEAT)
    assert close_code(raw) == 1009
    assert_station_comes_back(server, station)


def test_message_of_the_largest_size_is_served(charger: Charger) -> None:
    frame = '[2,"1","DataTransfer",{"vendorId":"Acme","data":"%s"}]'
    assert charger.exchange(frame % ("x" * (LIMIT - len(frame) + 2))) == [3, "1", {"status": "UnknownVendorId"}]


def test_fragments_with_a_ping_between_are_answered(raw: Client) -> None:
    raw.send(TEXT, HEARTBEAT[:5], fin=False)
    raw.send(PING, b"p1")
    raw.send(CONTINUATION, b"", fin=False)
    raw.send(CONTINUATION, HEARTBEAT[5:])
    assert raw.receive() == (PONG, b"p1")
    opcode, payload = raw.receive()
    assert opcode == TEXT
    assert payload.startswith(b'[3,"h",{"currentTime":')


@pytest.mark.parametrize(
    "frame", ['[2,"1","Heartbeat",{}]\n', '\r\n [ 2 , "1" , "Heartbeat" , { } ] \r\n', '\t[2,\n"1","Heartbeat",{}]']
)
def test_white_space_around_is_answered(charger: Charger, frame: str) -> None:
    answer = charger.exchange(frame)
    assert answer == [3, "1", {"currentTime": answer[2]["currentTime"]}]
