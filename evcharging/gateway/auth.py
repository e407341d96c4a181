"""What a connection request says: identity and credentials. Pure; who may connect is stations' to decide."""

import base64
import binascii
from typing import Any
from urllib.parse import unquote_to_bytes

from stations.models import RefusalReason
from stations.services.connection import Credentials

MAX_IDENTITY = 255


class BadIdentity(Exception):
    """No identity can be read from the path."""


class BadCredentials(Exception):
    """There is an Authorization header, and it is not a usable Basic one."""


def identity_of(raw_path: bytes) -> str:
    """Return the charger's identity: the last non-empty segment of the path, decoded once (OCPP-J 1.6 §3.1.1).

    Chargers put extra slashes and whole URLs before it.

    :raises BadIdentity: none there, over 255 characters, bad percent-encoding, not UTF-8, or control characters.
    """
    segments = [segment for segment in raw_path.split(b"?")[0].split(b"/") if segment]
    if len(segments) < 2:
        raise BadIdentity("no identity in the path")
    encoded = segments[-1]
    for escape in encoded.split(b"%")[1:]:
        try:
            bytes.fromhex(escape[:2].decode("ascii") if len(escape) >= 2 else "zz")
        except ValueError:
            raise BadIdentity("bad percent-encoding") from None
    try:
        identity = unquote_to_bytes(encoded).decode("utf-8")
    except UnicodeDecodeError:
        raise BadIdentity("not UTF-8") from None
    if not identity.strip() or len(identity) > MAX_IDENTITY or not identity.isprintable():
        raise BadIdentity("empty, too long or unprintable")
    return identity


def credentials_of(headers: list[tuple[bytes, bytes]]) -> Credentials | None:
    """Return HTTP Basic credentials as bytes, None where none were sent.

    Passwords are binary keys on some chargers and may hold colons: split once, decode nothing (OCPP-J 1.6 §6.2.2).

    :raises BadCredentials: another scheme, bad base64, or no colon.
    """
    value = next((value for name, value in headers if name.lower() == b"authorization"), None)
    if value is None:
        return None
    scheme, _, encoded = value.strip().partition(b" ")
    if scheme.rstrip(b":").lower() != b"basic":
        raise BadCredentials("not Basic")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error:
        raise BadCredentials("bad base64") from None
    username, colon, password = decoded.partition(b":")
    if not colon:
        raise BadCredentials("no colon")
    return Credentials(username, password)


REFUSAL_STATUS = {
    RefusalReason.UNKNOWN_IDENTITY: 404,
    RefusalReason.BAD_IDENTITY: 404,
    RefusalReason.NO_CREDENTIALS: 401,
    RefusalReason.BAD_CREDENTIALS: 401,
    RefusalReason.WRONG_PASSWORD: 401,
    RefusalReason.WRONG_USERNAME: 401,
    RefusalReason.NO_SUBPROTOCOL: 400,
    RefusalReason.ENROLMENT_FULL: 404,
}


def denial(status: int) -> list[dict[str, Any]]:
    """Return the ASGI messages that refuse a handshake with an HTTP status (denial response extension)."""
    headers = [(b"content-type", b"text/plain")]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="OCPP", charset="UTF-8"'))
    if status == 503:
        headers.append((b"retry-after", b"5"))
    return [
        {"type": "websocket.http.response.start", "status": status, "headers": headers},
        {"type": "websocket.http.response.body", "body": b""},
    ]
