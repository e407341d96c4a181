"""Many client WebSockets on one epoll: connect, handshake, frames, and what is lost; knows nothing of what is said.

Frames are masked with the key 0: the server unmasks whatever the key is, and the load generator saves the work.
"""

import errno
import select
import socket
import struct
import time
from collections import Counter, deque
from collections.abc import Iterator

NEVER = b"\xff"
"""No text frame begins with it."""
SOURCES = 16
"""Loopback addresses that chargers connect from: each has its own 28,000 ports."""
RETRY_S = 1.0
CONNECTS_PER_TURN = 200
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
_IP_BIND_ADDRESS_NO_PORT = 24
_HANDSHAKE = (
    b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
)


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """Return one masked frame with the key 0."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB4x", 0x80 | opcode, 0x80 | size) + payload
    return struct.pack("!BBH4x", 0x80 | opcode, 0xFE, size) + payload


def take_frames(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Yield opcode, payload and end of each whole unfragmented, unmasked frame at the front of `data`."""
    at = 0
    while len(data) - at >= 2:
        size, start = data[at + 1], at + 2
        if size == 126:
            size, start = int.from_bytes(data[at + 2 : at + 4]), at + 4
        elif size > 126:
            raise ValueError("masked, or longer than any answer")
        if start + size > len(data) or (start - at == 4 and len(data) - at < 4):
            return
        at, first = start + size, data[at]
        yield first & 15, data[start:at], at


class Connection:
    """One socket. `want` is what the awaited answer begins with."""

    __slots__ = ("buffer", "is_open", "is_upgraded", "number", "path", "socket", "want")

    def __init__(self, number: int, path: bytes) -> None:
        self.number = number
        self.path = path
        self.socket: socket.socket | None = None
        self.is_open = self.is_upgraded = False
        self.want = NEVER
        self.buffer = b""

    def send(self, data: bytes) -> None:
        """Send; what fails is seen when the socket is read. A charger never fills its socket: it waits for answers."""
        try:
            if self.socket is not None and self.socket.send(data) != len(data):
                self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Sockets:
    """The connections of one process. Whoever inherits implements `upgraded`, `answered` and `other_text`."""

    def __init__(self, port: int) -> None:
        self._address = ("127.0.0.1", port)
        self._by_descriptor: dict[int, Connection] = {}
        self._epoll = select.epoll()
        self.to_connect: deque[Connection] = deque()
        self._retries: deque[tuple[float, Connection]] = deque()
        self.parallel = 1
        self.opening_now = 0
        self.counts: Counter[str] = Counter()

    def upgraded(self, each: Connection) -> None:
        raise NotImplementedError

    def answered(self, each: Connection, text: bytes, now: float) -> None:
        """The awaited answer is in."""
        raise NotImplementedError

    def other_text(self, each: Connection, text: bytes) -> None:
        raise NotImplementedError

    def watch(self, descriptor: int) -> None:
        """Let turn() return when there is something to read from `descriptor`."""
        self._epoll.register(descriptor, select.EPOLLIN)

    def turn(self, timeout_s: float) -> None:
        """Wait for sockets and serve those that have something."""
        by_descriptor, clock = self._by_descriptor, time.monotonic
        if self.to_connect or self._retries:
            self._connect_some(clock())
            timeout_s = min(timeout_s, 0.0 if self.to_connect and self.opening_now < self.parallel else 0.1)
        for descriptor, _ in self._epoll.poll(timeout_s, 4096):
            each = by_descriptor.get(descriptor)
            if each is None or each.socket is None:
                continue
            if not each.is_open:
                self._connected(each)
                continue
            try:
                data = each.socket.recv(65536)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            # One whole short frame with the awaited answer: what nearly all are.
            if data.startswith(each.want, 2) and data[0] == 0x81 and len(data) == data[1] + 2:
                each.want = NEVER
                self.answered(each, data[2:], clock())
            elif data:
                self._read(each, each.buffer + data)
            else:
                self.lost(each, "closed" if each.is_upgraded else "refused")

    def forget(self, each: Connection) -> None:
        """Drop a connection without a farewell, as a power cut does."""
        if each.socket is not None:
            self._by_descriptor.pop(each.socket.fileno(), None)
            # A reset, not a FIN: nothing stays in TIME_WAIT, and the server learns it as it does from a dead link.
            each.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            each.socket.close()
        each.socket, each.buffer, each.want = None, b"", NEVER
        each.is_open = each.is_upgraded = False

    def lost(self, each: Connection, why: str) -> None:
        """Count a connection that was refused or closed, and come back in a second."""
        self.counts[why] += 1
        self.forget(each)
        self._retries.append((time.monotonic() + RETRY_S, each))

    def close(self) -> None:
        for each in list(self._by_descriptor.values()):
            self.forget(each)
        self._epoll.close()

    def _connect_some(self, now: float) -> None:
        while self._retries and self._retries[0][0] <= now:
            self.to_connect.append(self._retries.popleft()[1])
        for _ in range(min(CONNECTS_PER_TURN, self.parallel - self.opening_now, len(self.to_connect))):
            self.opening_now += 1
            self._connect(self.to_connect.popleft())

    def _connect(self, each: Connection) -> None:
        new = socket.socket()
        new.setblocking(False)
        new.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        new.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        new.bind((f"127.0.0.{2 + each.number % SOURCES}", 0))
        each.socket = new
        if new.connect_ex(self._address) not in (0, errno.EINPROGRESS):
            self.opening_now -= 1
            self.lost(each, "refused")
            return
        self._by_descriptor[new.fileno()] = each
        self._epoll.register(new.fileno(), select.EPOLLOUT)

    def _connected(self, each: Connection) -> None:
        assert each.socket is not None
        if each.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.lost(each, "refused")
            return
        each.is_open = True
        self._epoll.modify(each.socket.fileno(), select.EPOLLIN)
        each.send(_HANDSHAKE % each.path)

    def _read(self, each: Connection, data: bytes) -> None:
        """Take what is not just the awaited answer."""
        each.buffer = data
        if not each.is_upgraded:
            head, found, rest = data.partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 101 "):
                self.counts[f"HTTP {head[9:12].decode()}"] += 1
                self.lost(each, "refused")
                return
            each.is_upgraded, each.buffer = True, rest
            self.upgraded(each)
        used = 0
        for opcode, payload, end in take_frames(each.buffer):
            used = end
            if opcode == PING:
                each.send(frame(payload, PONG))
            elif opcode == CLOSE:
                self.counts[f"close {int.from_bytes(payload[:2])}"] += 1
                self.lost(each, "closed")
                return
            elif opcode == TEXT and payload.startswith(each.want):
                each.want = NEVER
                self.answered(each, payload, time.monotonic())
            elif opcode == TEXT:
                self.other_text(each, payload)
        each.buffer = each.buffer[used:]
