"""Opens a station's WebSocket to the central system, and describes why that failed."""

import os
import re
from base64 import b64encode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

SUBPROTOCOL = Subprotocol("ocpp1.6")
OPEN_S, CLOSE_S = 20, 5

_HEX_KEY = re.compile(r"(?:[0-9A-Fa-f]{2}){16,20}")
_HTTP_REASONS = {401: "the password is missing or wrong", 404: "the identity is unknown there", 503: "not ready"}


async def open_websocket(url: str, identity: str, *, password: str, ping_interval_s: int) -> ClientConnection:
    """Connect as a station; a `ping_interval_s` of 0 sends no pings.

    :raises OSError: :raises EOFError: :raises ValueError: :raises WebSocketException:
    """
    headers = {}
    if password:
        credentials = identity.encode() + b":" + _password_bytes(password)
        headers["Authorization"] = "Basic " + b64encode(credentials).decode()
    return await connect(
        f"{url.rstrip('/')}/{identity}",
        subprotocols=[SUBPROTOCOL],
        additional_headers=headers,
        compression=None,
        ping_interval=ping_interval_s or None,
        open_timeout=OPEN_S,
        close_timeout=CLOSE_S,
        proxy=None,
    )


def _password_bytes(password: str) -> bytes:
    """Return the bytes sent as the password: an AuthorizationKey in hexadecimal is decoded (OCPP-J 1.6 §6.2.2)."""
    return bytes.fromhex(password) if _HEX_KEY.fullmatch(password) else password.encode()


def failure_reason(error: Exception) -> str:
    """Describe in a few words why no connection could be opened."""
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        reason = _HTTP_REASONS.get(status)
        return f"refused with HTTP {status}" + (f" ({reason})" if reason else "")
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, InvalidHandshake):
        return f"not a WebSocket server ({error})"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
