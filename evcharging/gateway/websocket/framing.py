"""A WebSocket's frames over bounded buffers: autobahn's rules, and a short way for the common frame."""
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
TEXT, BINARY = 0x81, 0x82  # first byte of an unfragmented data frame

# Why a socket is not being read from. Any of them holds it.
INBOX_FULL, PEER_DOES_NOT_READ, TURN_OVER, STOPPING = 1, 2, 4, 8

# Frames that autobahn parses for one socket before the others get their turn: a flood of pings costs it 70 us each.
FRAMES_PER_TURN = 64
# Up to this size half a frame waits for its rest to be taken in one piece; beyond it, autobahn collects the pieces.
WHOLE_FRAME_MAX = 16384
# What a client may send ahead of our 101 (it should send nothing).
EARLY_DATA_MAX = 65536
# Python's big integers unmask short payloads faster than autobahn's C code, whose call costs 5 us.
INTEGER_UNMASK_MAX = 1536


def unmask(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    if size > INTEGER_UNMASK_MAX:
        return create_xor_masker(mask, size).process(payload)
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "little")
    return (int.from_bytes(payload, "little") ^ key).to_bytes(size, "little")


def frame(first_byte: int, payload: bytes) -> bytes:
    """Return one unfragmented, unmasked frame, as a server sends them."""
    size = len(payload)
    if size < 126:
        return bytes((first_byte, size)) + payload
    if size < 65536:
        return struct.pack("!BBH", first_byte, 126, size) + payload
    return struct.pack("!BBQ", first_byte, 127, size) + payload


class BoundedWebSocket(WebSocketServerProtocol):
    """A WebSocket that is read only while what it brings can be taken, and that knows when its peer does not read.

    Broken framing is answered with a Close frame that carries the right code. Whoever inherits sets `server`, calls
    `start_reading`, and implements `take_text`, `take_binary`, `is_failed` and `senders_may_go_on`.
    """

    # autobahn's own annotations are those of its list of pieces, and of zope interfaces that mypy does not know.
    transport: Any
    message_data: Any
    maxMessagePayloadSize: int

    # Defaults on the class: data and the end of a connection can come before `start_reading`.
    socket: Any = None
    inside_message = False
    current_frame: Any = None
    send_stuck_timer: asyncio.TimerHandle | None = None
    last_frame_at = 0.0
    held = 0
    path = "?"

    def start_reading(self, server: Any) -> None:
        self.server = server
        self.loop = asyncio.get_running_loop()
        self.last_frame_at = time.monotonic()
        # Only on plain TCP may `sendData` write to the socket itself.
        self.socket = self.transport.getHandle() if type(self.transport) is tcp.Server else None
        self.transport.registerProducer(self, True)

    def take_text(self, text: str) -> None:
        raise NotImplementedError

    def take_binary(self, payload: bytes) -> None:
        raise NotImplementedError

    def is_failed(self, code: int) -> None:
        """The peer broke the rules and the socket is closing with `code`."""
        raise NotImplementedError

    def senders_may_go_on(self) -> None:
        """What was sent is on its way, or the socket is closing."""
        raise NotImplementedError

    # --- Reading

    def dataReceived(self, data: bytes) -> None:
        if self.state == self.STATE_CONNECTING:
            self.data += data  # ahead of our 101: kept for later, within reason
            if len(self.data) > EARLY_DATA_MAX:
                self.dropConnection(abort=True)
        elif not self.failedByMe and self.state != self.STATE_CLOSED:
            self.data = self.data + data if self.data else data
            self.consumeData()

    def consumeData(self) -> None:
        """Take frames out of `self.data` until it is used up, the application has enough, or the turn is over."""
        steps = 0
        more = True
        while more and not self.held and not self.failedByMe and self.state != self.STATE_CLOSED:
            between_messages = self.current_frame is None and not self.inside_message
            if between_messages and self.state == self.STATE_OPEN and (self.take_plain_texts() or self.held):
                return
            more = self.processData()
            steps += 1
            if more and steps >= 2 * FRAMES_PER_TURN and not self.held:  # autobahn's steps are header and payload
                self.hold(TURN_OVER)
                self.loop.call_soon(self.release, TURN_OVER)

    def take_plain_texts(self) -> bool:
        """Hand over the unfragmented, masked text frames at the front of `self.data`, without autobahn's 90 us each.

        Whatever is not exactly that, also what is wrong with it, is left to autobahn. Return whether there is
        nothing to do for autobahn: all taken, or the rest of a frame has yet to arrive.
        """
        data, at, end = self.data, 0, len(self.data)
        waits_for_rest = False
        while end - at >= 8 and data[at] == TEXT and not self.held:
            size, start = data[at + 1] ^ 0x80, at + 6  # an unmasked frame comes out as 128 or more
            if size == 126:
                size, start = data[at + 2] << 8 | data[at + 3], at + 8
                if size < 126:
                    break
            elif size > 126:
                break
            stop = start + size
            if stop > end or size > self.maxMessagePayloadSize:
                waits_for_rest = size <= min(WHOLE_FRAME_MAX, self.maxMessagePayloadSize)
                break
            self.last_frame_at = time.monotonic()
            if not self.decode_text(unmask(data[start:stop], data[start - 4 : start])):
                return True
            at = stop
        self.data = data[at:] if at else data
        return waits_for_rest or not self.data

    def decode_text(self, payload: bytes) -> bool:
        """Pass on a text; return False if it is not UTF-8, and the socket closes."""
        try:
            text = payload.decode()
        except UnicodeDecodeError as error:
            self._fail_connection(INVALID_TEXT, f"invalid UTF-8 at byte {error.start}")
            return False
        self.take_text(text)
        return True

    # autobahn collects a message as a list of pieces, which a flood of empty fragments makes grow without end;
    # one bytearray is bounded by the message limit.
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
            self.take_binary(payload)
        else:
            self.decode_text(payload)

    def onFrameEnd(self) -> None:
        self.last_frame_at = time.monotonic()
        super().onFrameEnd()

    # --- Closing

    def close(self, code: int, reason: str | None = None) -> None:
        """Start the closing handshake, with any code (autobahn's sendClose allows 1000 and from 3000 only)."""
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code, encode_truncate(reason, 123) if reason else None)
            # The peer's own Close frame stands behind whatever it has sent so far: read on, and discard.
            self.held = 0
            self.loop.call_soon(self.read_on)
            self.senders_may_go_on()

    def _protocol_violation(self, reason: str) -> bool:
        self._fail_connection(PROTOCOL_ERROR, reason)
        return True  # do not go on parsing

    def _fail_connection(self, code: int = GOING_AWAY, reason: str = "") -> None:
        """Close after a frame that broke the rules, such that the peer sees the code.

        autobahn either drops TCP, and the peer never learns why, or parses on what cannot be parsed. Here nothing
        more is parsed: our side of TCP is closed behind the Close frame, the peer's input discarded until it ends.
        """
        if self.state != self.STATE_OPEN:
            return self.dropConnection(abort=False)
        logger.warning("%s: closing with %s, %s", self.path, code, reason)
        self.failedByMe = True
        self.data = b""
        self.close(code, reason)
        self.is_failed(code)
        if self.socket is not None:
            self.transport.unregisterProducer()  # Twisted half-closes only without one
            self.transport.loseWriteConnection()

    def dropConnection(self, abort: bool = False) -> None:
        # After a clean closing handshake there is nothing to abort: a reset could overtake the last answers.
        super().dropConnection(abort=abort and not self.wasClean)

    # --- Back-pressure

    def hold(self, reason: int) -> None:
        if not self.held:
            self.transport.pauseProducing()
        self.held |= reason

    def release(self, reason: int) -> None:
        self.held &= ~reason
        # Not now: an application that never has to wait for a message would keep all others from theirs.
        self.loop.call_soon(self.read_on)

    def read_on(self) -> None:
        if not self.held and self.state != self.STATE_CLOSED:
            if self.data:
                self.consumeData()
            if not self.held:
                self.transport.resumeProducing()

    # What the transport calls (IPushProducer): its write buffer is full, or empty again.
    def pauseProducing(self) -> None:
        self.hold(PEER_DOES_NOT_READ)
        if self.send_stuck_timer is None:
            self.send_stuck_timer = self.loop.call_later(self.server.websocket_send_timeout, self.send_timed_out)

    def resumeProducing(self) -> None:
        self.stop_send_timer()
        self.release(PEER_DOES_NOT_READ)
        self.senders_may_go_on()

    def stopProducing(self) -> None:
        pass

    def send_timed_out(self) -> None:
        logger.warning("%s: does not read, dropped", self.path)
        self.dropConnection(abort=True)

    def stop_send_timer(self) -> None:
        if self.send_stuck_timer is not None:
            self.send_stuck_timer.cancel()
            self.send_stuck_timer = None

    # --- Writing

    @property
    def buffered(self) -> int:
        """Bytes that the operating system has not taken yet."""
        transport = getattr(self.transport, "transport", self.transport)  # below TLS, if there is any
        return len(transport.dataBuffer) - transport.offset + transport._tempDataLen

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """Write, at once if nothing waits: a write through the reactor costs two changes of its poll set.

        What the socket does not take, and any error, is left to the transport, which keeps the order.
        """
        if self.socket is not None and not self.buffered:
            try:
                data = data[self.socket.send(data) :]
            except OSError:
                pass
        if data:
            self.transport.write(data)
