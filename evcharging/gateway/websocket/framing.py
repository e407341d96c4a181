"""WebSocket framing on bounded buffers: autobahn's parser, with a fast path for unfragmented text frames."""
# ruff: noqa: N802, N803, N815  (Twisted's and autobahn's names)

import asyncio
import logging
import struct
import time
from typing import Any

# First: it installs the reactor before anything makes Twisted install its default.
from evcharging.gateway.websocket import event_loop  # noqa: F401  isort:skip
from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.util import encode_truncate
from autobahn.websocket.xormasker import create_xor_masker  # type: ignore[attr-defined]
from twisted.internet import tcp

logger = logging.getLogger(__name__)

NORMAL, GOING_AWAY, PROTOCOL_ERROR, NO_CODE, ABNORMAL, INVALID_TEXT = 1000, 1001, 1002, 1005, 1006, 1007
SERVICE_RESTART = 1012
TEXT, BINARY = 0x81, 0x82  # first byte of an unfragmented data frame: FIN and opcode

# Why reading is paused, as bits; reading resumes when none is left.
QUEUE_FULL, WRITE_BUFFER_FULL, TURN_USED_UP, STOPPING = 1, 2, 4, 8

# Frames that autobahn parses for one socket per turn of the event loop: a flood of pings must not starve the others.
FRAMES_PER_TURN = 64
# An incomplete frame up to this size stays in the buffer until it is whole; longer ones go to autobahn in pieces.
WHOLE_FRAME_MAX = 16384
# Bytes that a client may send before our 101; RFC 6455 §4.1 allows none.
EARLY_DATA_MAX = 65536
# Up to this size XOR of two Python integers is faster than autobahn's C code, of which a call costs 3 to 5 µs.
INTEGER_UNMASK_MAX = 1536


def unmask(payload: bytes, mask: bytes) -> bytes:
    """Return the payload XORed with its repeated masking key (RFC 6455 §5.3)."""
    size = len(payload)
    if size > INTEGER_UNMASK_MAX:
        return create_xor_masker(mask, size).process(payload)
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "little")
    return (int.from_bytes(payload, "little") ^ key).to_bytes(size, "little")


def frame(first_byte: int, payload: bytes) -> bytes:
    """Return an unfragmented, unmasked frame, as a server sends them (RFC 6455 §5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((first_byte, size)) + payload
    if size < 65536:
        return struct.pack("!BBH", first_byte, 126, size) + payload
    return struct.pack("!BBQ", first_byte, 127, size) + payload


class BoundedWebSocket(WebSocketServerProtocol):
    """A WebSocket with back-pressure in both directions.

    Broken framing is answered with a Close frame that carries the code of RFC 6455 §7.4. A subclass calls
    `start_reading`, and implements `text_received`, `binary_received`, `connection_failed` and `resume_writing`.
    """

    # autobahn annotates `message_data` as a list of pieces, the others with zope interfaces that mypy does not know.
    transport: Any
    message_data: Any
    maxMessagePayloadSize: int

    # Defaults on the class: data and the end of a connection can come before `start_reading`.
    socket: Any = None
    inside_message = False
    current_frame: Any = None
    send_stuck_timer: asyncio.TimerHandle | None = None
    last_frame_at = 0.0
    read_pauses = 0  # bits of QUEUE_FULL and so on
    path = "?"

    def start_reading(self, server: Any) -> None:
        """Register with the transport; `server` supplies the time limits."""
        self.server = server
        self.loop = asyncio.get_running_loop()
        self.last_frame_at = time.monotonic()
        # Only on plain TCP `sendData` may bypass the transport.
        self.socket = self.transport.getHandle() if type(self.transport) is tcp.Server else None
        self.transport.registerProducer(self, True)

    def text_received(self, text: str) -> None:
        raise NotImplementedError

    def binary_received(self, payload: bytes) -> None:
        raise NotImplementedError

    def connection_failed(self, code: int) -> None:
        """Called when the peer violated the protocol and the connection closes with `code`."""
        raise NotImplementedError

    def resume_writing(self) -> None:
        """Called when the write buffer has drained, or the connection closes."""
        raise NotImplementedError

    # --- Reading

    def dataReceived(self, data: bytes) -> None:
        if self.state == self.STATE_CONNECTING:
            self.data += data  # before our 101: parsed after it
            if len(self.data) > EARLY_DATA_MAX:
                self.dropConnection(abort=True)
        elif not self.failedByMe and self.state != self.STATE_CLOSED:
            self.data = self.data + data if self.data else data
            self.consumeData()

    def consumeData(self) -> None:
        """Parse frames from `self.data` until it is empty, reading is paused, or FRAMES_PER_TURN are parsed."""
        steps = 0
        more = True
        while more and not self.read_pauses and not self.failedByMe and self.state != self.STATE_CLOSED:
            between_messages = self.current_frame is None and not self.inside_message
            if between_messages and self.state == self.STATE_OPEN and (self.parse_text_frames() or self.read_pauses):
                return
            more = self.processData()
            steps += 1
            # autobahn parses a frame in two steps, header and payload.
            if more and steps >= 2 * FRAMES_PER_TURN and not self.read_pauses:
                self.pause_reading(TURN_USED_UP)
                self.loop.call_soon(self.resume_reading, TURN_USED_UP)

    def parse_text_frames(self) -> bool:
        """Fast path: parse the unfragmented, masked text frames at the front of `self.data`.

        autobahn takes three times as long for each. Every other frame, a malformed one too, is left to it. Return
        whether it has nothing to parse: the buffer is empty, or holds only the beginning of a frame.
        """
        data, at, end = self.data, 0, len(self.data)
        is_incomplete = False
        while end - at >= 8 and data[at] == TEXT and not self.read_pauses:
            size, start = data[at + 1] ^ 0x80, at + 6  # without the mask bit, 128 or more
            if size == 126:
                size, start = data[at + 2] << 8 | data[at + 3], at + 8
                if size < 126:
                    break
            elif size > 126:
                break
            stop = start + size
            if stop > end or size > self.maxMessagePayloadSize:
                is_incomplete = size <= min(WHOLE_FRAME_MAX, self.maxMessagePayloadSize)
                break
            self.last_frame_at = time.monotonic()
            if not self.deliver_text(unmask(data[start:stop], data[start - 4 : start])):
                return True
            at = stop
        self.data = data[at:] if at else data
        return is_incomplete or not self.data

    def deliver_text(self, payload: bytes) -> bool:
        """Decode a text message and deliver it; return False, and close with 1007, if it is not UTF-8."""
        try:
            text = payload.decode()
        except UnicodeDecodeError as error:
            self._fail_connection(INVALID_TEXT, f"invalid UTF-8 at byte {error.start}")
            return False
        self.text_received(text)
        return True

    # autobahn keeps a message as a list of fragments, which empty fragments make grow without a limit; a bytearray is
    # bounded by maxMessagePayloadSize.
    def onMessageBegin(self, isBinary: bool) -> None:
        super().onMessageBegin(isBinary)
        self.message_data = bytearray()

    def onMessageFrameData(self, payload: bytes) -> None:
        if not self.failedByMe:
            self.message_data += payload

    def onMessageFrameEnd(self) -> None:
        pass

    def onMessageEnd(self) -> None:
        payload, self.message_data = bytes(self.message_data), None
        if self.state != self.STATE_OPEN:
            return
        if self.message_is_binary:
            self.binary_received(payload)
        else:
            self.deliver_text(payload)

    def onFrameEnd(self) -> None:
        self.last_frame_at = time.monotonic()
        super().onFrameEnd()

    # --- Closing

    def close(self, code: int, reason: str | None = None) -> None:
        """Start the closing handshake with any code; autobahn's sendClose allows only 1000 and 3000 to 4999."""
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code, encode_truncate(reason, 123) if reason else None)
            # The peer's Close frame comes after everything it has sent so far: read that, and discard it.
            self.read_pauses = 0
            self.loop.call_soon(self.continue_reading)
            self.resume_writing()

    def _protocol_violation(self, reason: str) -> bool:
        self._fail_connection(PROTOCOL_ERROR, reason)
        return True  # tells autobahn to stop parsing

    def _fail_connection(self, code: int = GOING_AWAY, reason: str = "") -> None:
        """Fail the connection (RFC 6455 §7.1.7) such that the peer receives the Close frame with the code.

        autobahn either drops TCP, and the peer never learns why, or goes on parsing a stream that cannot be parsed.
        Here parsing ends: TCP is half-closed after the Close frame, and input discarded until the peer closes too.
        """
        if self.state != self.STATE_OPEN:
            return self.dropConnection(abort=False)
        logger.warning("%s: closing with %s: %s", self.path, code, reason)
        self.failedByMe = True
        self.data = b""
        self.close(code, reason)
        self.connection_failed(code)
        if self.socket is not None:
            self.transport.unregisterProducer()  # else Twisted does not half-close
            self.transport.loseWriteConnection()

    def dropConnection(self, abort: bool = False) -> None:
        # After a clean closing handshake close TCP in order: a reset would discard answers that are still in flight.
        super().dropConnection(abort=abort and not self.wasClean)

    # --- Back-pressure

    def pause_reading(self, reason: int) -> None:
        if not self.read_pauses:
            self.transport.pauseProducing()
        self.read_pauses |= reason

    def resume_reading(self, reason: int) -> None:
        self.read_pauses &= ~reason
        # In the next turn: an application whose receive() never waits would starve the others.
        self.loop.call_soon(self.continue_reading)

    def continue_reading(self) -> None:
        if not self.read_pauses and self.state != self.STATE_CLOSED:
            if self.data:
                self.consumeData()
            if not self.read_pauses:
                self.transport.resumeProducing()

    # IPushProducer, called by the transport: its write buffer is full, or has drained.
    def pauseProducing(self) -> None:
        self.pause_reading(WRITE_BUFFER_FULL)
        if self.send_stuck_timer is None:
            self.send_stuck_timer = self.loop.call_later(self.server.websocket_send_timeout, self.send_timed_out)

    def resumeProducing(self) -> None:
        self.stop_send_timer()
        self.resume_reading(WRITE_BUFFER_FULL)
        self.resume_writing()

    def stopProducing(self) -> None:
        pass

    def send_timed_out(self) -> None:
        logger.warning("%s: aborted, the peer does not read", self.path)
        self.dropConnection(abort=True)

    def stop_send_timer(self) -> None:
        if self.send_stuck_timer is not None:
            self.send_stuck_timer.cancel()
            self.send_stuck_timer = None

    # --- Writing

    @property
    def buffered(self) -> int:
        """Bytes written that the kernel has not accepted yet."""
        transport = getattr(self.transport, "transport", self.transport)  # of TLS, the TCP transport below
        return len(transport.dataBuffer) - transport.offset + transport._tempDataLen

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """Write directly to the socket if nothing is buffered: a write by the reactor changes its poll set twice.

        Those are half of the CPU of a short message. What the socket does not accept, and any error, goes to the
        transport, which keeps the order.
        """
        if self.socket is not None and not self.buffered:
            try:
                data = data[self.socket.send(data) :]
            except OSError:
                pass
        if data:
            self.transport.write(data)
