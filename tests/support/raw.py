"""Connections that a WebSocket library would not make: raw handshakes and raw frames."""

import base64

from tests.support.live_server import LiveServer
from tests.support.raw_client import UPGRADE, Client, Response

OCPP16 = b"Sec-WebSocket-Protocol: ocpp1.6"


def upgraded(server: LiveServer, identity: str, *headers: bytes) -> Client:
    """Return a connection whose handshake was accepted."""
    client = Client(server.port)
    response = client.request(f"/ocpp/{identity}".encode(), OCPP16, *headers)
    assert response.status == 101, response
    return client


def handshake(
    server: LiveServer, target: str | bytes, *headers: bytes, lines: list[bytes] = UPGRADE, offers: bytes = b"ocpp1.6"
) -> Response:
    """Return the answer to a handshake; `offers` is the Sec-WebSocket-Protocol header, b"" for none."""
    if isinstance(target, str):
        target = target.encode()
    offered = [b"Sec-WebSocket-Protocol: " + offers] if offers else []
    with Client(server.port) as client:
        return client.request(target, *offered, *headers, lines=lines)


def basic(username: bytes, password: bytes) -> bytes:
    """Return an Authorization header."""
    return b"Authorization: Basic " + base64.b64encode(username + b":" + password)
