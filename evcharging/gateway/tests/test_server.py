"""The server process: TLS, listening, and the end."""

import json
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import websockets.exceptions
import websockets.sync.client
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.raw_client import (
    CLOSE,
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

LIMIT = 262144


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
