"""However the bytes of a WebSocket are cut into reads, the messages and the end are the same."""

import asyncio
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport

from evcharging.gateway.websocket.framing import BoundedWebSocket, unmask
from evcharging.gateway.websocket.framing import frame as server_frame
from tests.support.raw_client import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame

from daphne.ws_protocol import WebSocketFactory  # isort:skip  (after the module that chooses the reactor)

LIMIT = 70000
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Recorder(BoundedWebSocket):
    """A socket that writes down what it would hand over."""

    def start(self) -> None:
        self.taken: list[Any] = []
        self.start_reading(None)
        self.data = HANDSHAKE
        self.processHandshake()
        self.transport.clear()

    def text_received(self, text: str) -> None:
        self.taken.append(text)

    def binary_received(self, payload: bytes) -> None:
        self.taken.append(payload)

    def connection_failed(self, code: int) -> None:
        self.taken.append(code)

    def resume_writing(self) -> None:
        pass


async def feed(chunks: list[bytes]) -> tuple[list[Any], bytes]:
    """Return what a socket made of the chunks, and what it wrote."""
    factory = WebSocketFactory(None)
    factory.protocol = Recorder
    factory.setProtocolOptions(
        failByDrop=False,
        utf8validateIncoming=False,
        openHandshakeTimeout=0,
        closeHandshakeTimeout=0,
        maxMessagePayloadSize=LIMIT,
        maxFramePayloadSize=LIMIT,
    )
    protocol, transport = factory.buildProtocol(None), StringTransport()
    protocol.makeConnection(transport)
    protocol.start()
    for chunk in chunks:
        protocol.dataReceived(chunk)
        while protocol.read_pauses:
            await asyncio.sleep(0)
    for _ in range(100):  # more turns than any of the tests' data takes
        await asyncio.sleep(0)
    return protocol.taken, transport.value()


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    chunks = []
    for size in sizes:
        chunks.append(data[:size])
        data = data[size:]
    return [chunk for chunk in [*chunks, data] if chunk]


masks = st.binary(min_size=4, max_size=4)
texts = st.one_of(st.text(max_size=300), st.sampled_from(["x" * 1600, "ä" * 9000, "x" * 65536, "x" * LIMIT]))


@st.composite
def messages(draw: st.DrawFn) -> tuple[bytes, Any, bytes]:
    """A message, perhaps in fragments with pings between: its frames, what is handed over, what is written."""
    taken: Any = draw(st.one_of(texts, st.binary(max_size=300)))
    payload = taken.encode()[:LIMIT] if isinstance(taken, str) else taken
    opcode = TEXT if isinstance(taken, str) else BINARY
    pieces = cut(payload, draw(st.lists(st.integers(0, 200), max_size=3))) or [b""]
    frames, written = b"", b""
    for number, piece in enumerate(pieces):
        kind = CONTINUATION if number else opcode
        frames += frame(kind, piece, fin=piece is pieces[-1] and number == len(pieces) - 1, mask=draw(masks))
        if draw(st.booleans()):
            beat = draw(st.binary(max_size=125))
            frames += frame(PING, beat, mask=draw(masks)) + frame(PONG, mask=draw(masks))
            written += server_frame(0x80 | PONG, beat)
    return frames, taken, written


BROKEN = [
    (frame(TEXT, b"x", mask=None), 1002),
    (frame(TEXT, b"x" * 130, mask=None), 1002),
    (frame(TEXT, b"x", rsv=4), 1002),
    (frame(3, b"x"), 1002),
    (frame(CONTINUATION, b"x"), 1002),
    (frame(PING, b"x" * 126), 1002),
    (b"\x81\xfe\x00\x05\0\0\0\0hello", 1002),
    (frame(TEXT, b"\xff"), 1007),
    (frame(TEXT, b"x" * (LIMIT + 1)), 1009),
    (b"\x81\xff" + struct.pack("!Q", 1 << 40) + b"\0\0\0\0", 1009),
]


@settings(max_examples=150, deadline=None)
@given(st.lists(messages(), max_size=6), st.lists(st.integers(1, 400), max_size=12), st.sampled_from([None, *BROKEN]))
def test_messages_are_the_same_however_the_bytes_are_cut(
    sent: list[tuple[bytes, Any, bytes]], sizes: list[int], broken: tuple[bytes, int] | None
) -> None:
    data = b"".join(frames for frames, _, _ in sent)
    expected = [taken for _, taken, _ in sent]
    answers = b"".join(written for _, _, written in sent)
    if broken is not None:
        data += broken[0] + frame(TEXT, b"not looked at")
        expected.append(broken[1])
    taken, written = asyncio.run(feed(cut(data, sizes)))
    assert taken == expected
    assert written[: len(answers)] == answers
    if broken is None:
        assert written == answers
    else:
        close = written[len(answers) :]
        assert (close[0], close[2:4]) == (0x80 | CLOSE, struct.pack("!H", broken[1]))


def test_more_frames_than_a_turn_takes_are_all_taken() -> None:
    data = b"".join(frame(PING, b"%d" % number) + frame(BINARY, b"%d" % number) for number in range(500))
    taken, written = asyncio.run(feed([data]))
    assert taken == [b"%d" % number for number in range(500)]
    assert written == b"".join(server_frame(0x80 | PONG, b"%d" % number) for number in range(500))


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 1535, 1536, 1537, 5000])
def test_unmask_is_exclusive_or_with_the_repeated_mask(size: int) -> None:
    payload, mask = bytes(number % 251 for number in range(size)), b"\x00\xff\x0f\x80"
    assert unmask(payload, mask) == bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
