"""A WebSocket client that can break every rule, and the server process it is pointed at."""

import contextlib
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
UPGRADE = [
    b"Host: localhost",
    b"Upgrade: websocket",
    b"Connection: Upgrade",
    b"Sec-WebSocket-Key: " + KEY,
    b"Sec-WebSocket-Version: 13",
]
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Server(NamedTuple):
    """A running echo_app process; its output goes to `log`."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def rss(self) -> int:
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def wait_for_log(self, text: str, timeout_s: float = 5) -> str:
        """Return the log once `text` is in it."""
        deadline = time.monotonic() + timeout_s
        while text not in (log := self.log.read_text()):
            assert time.monotonic() < deadline, f"{text!r} not in log: {log[-2000:]}"
            time.sleep(0.02)
        return log


def command(*options: str, port: int = 0) -> list[str]:
    arguments = [argument for option in options for argument in ("--option", option)]
    return [sys.executable, "-m", "tests.support.echo_app", "--port", str(port), *arguments]


@contextlib.contextmanager
def running(log: Path, *options: str) -> Iterator[Server]:
    """Start the server with `options` (NAME=JSON) on a free port, and end it."""
    with log.open("wb") as output, subprocess.Popen(command(*options), stdout=output, stderr=output) as process:
        try:
            while not (started := re.search(r"listening (\d+)", log.read_text())):
                assert process.poll() is None, log.read_text()
                time.sleep(0.02)
            yield Server(process, int(started[1]), log)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bytes | None = b"\x37\xfa\x21\x3d"
) -> bytes:
    size = len(payload)
    header = bytes([fin << 7 | rsv << 4 | opcode])
    masked = 0x80 if mask else 0
    if size < 126:
        header += bytes([masked | size])
    elif size < 65536:
        header += struct.pack("!BH", masked | 126, size)
    else:
        header += struct.pack("!BQ", masked | 127, size)
    if mask is None:
        return header + payload
    key = (mask * (size // 4 + 1))[:size]
    return header + mask + (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(size)


class Response(NamedTuple):
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes  # all that came up to the end of the connection; empty for 101

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


class Client:
    """One TCP connection. Reading ends with an error after 10 s."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def write(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send(self, opcode: int, payload: bytes = b"", **options: Any) -> None:
        self.write(frame(opcode, payload, **options))

    def request(
        self, target: bytes, *headers: bytes, lines: list[bytes] = UPGRADE, method: bytes = b"GET"
    ) -> Response:
        self.write(b"\r\n".join([method + b" " + target + b" HTTP/1.1", *lines, *headers, b"", b""]))
        return self.response()

    def response(self) -> Response:
        while b"\r\n\r\n" not in self.buffer:
            self.fill()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        status = int(first.split(b" ")[1])
        headers = [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
        return Response(status, headers, b"" if status == 101 else self.read_to_end())

    def fill(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError
        self.buffer += data

    def read_to_end(self) -> bytes:
        with contextlib.suppress(EOFError):
            while True:
                self.fill()
        data, self.buffer = self.buffer, b""
        return data

    def read(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self.fill()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def receive(self) -> tuple[int, bytes]:
        """Return opcode and payload of the next frame, which must be unmasked, final and without RSV bits."""
        first, size = self.read(2)
        assert first & 0xF0 == 0x80
        if size == 126:
            (size,) = struct.unpack("!H", self.read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self.read(8))
        return first & 15, self.read(size)

    def close_code(self) -> int:
        """Return the code of the Close frame, which must come next and be followed by the end of the connection."""
        opcode, payload = self.receive()
        assert opcode == CLOSE, (opcode, payload)
        assert self.read_to_end() == b""
        return int.from_bytes(payload[:2])

    def write_until_blocked(self, data: bytes, *, limit: int) -> int:
        """Write `data` again and again until nothing was taken for 0.5 s, or `limit`; return the bytes written."""
        written = 0
        view = memoryview(data)
        self.socket.setblocking(False)
        try:
            while written < limit and select.select([], [self.socket], [], 0.5)[1]:
                written += self.socket.send(view[written % len(data) :])
        finally:
            self.socket.settimeout(10)
        return written


def connect(server: Server, target: str, *headers: bytes) -> Client:
    """Return a client whose handshake was accepted."""
    client = Client(server.port)
    response = client.request(target.encode(), *headers)
    assert response.status == 101, response
    return client


def assert_serves(server: Server, within_s: float = 1) -> None:
    """Another connection is accepted and answered at once."""
    started = time.monotonic()
    with connect(server, "/ocpp/other") as client:
        client.send(TEXT, b'[2,"1","Heartbeat",{}]')
        assert client.receive() == (TEXT, b'[3,"1",{}]')
    assert time.monotonic() - started < within_s
