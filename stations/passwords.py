"""HTTP Basic passwords of stations: machine keys, compared as bytes.

A key is 16 bytes or more of randomness, so one salted SHA-256 is as hard to reverse as the key is to guess, and a boot
storm of thousands of stations costs microseconds each; see docs/adr/0003-station-passwords.md.
"""

import hashlib
import hmac
import re
import secrets

MIN_BYTES = 16
MAX_BYTES = 128
HEX_KEY = re.compile(rb"(?:[0-9A-Fa-f]{2}){16,20}")


class PasswordTooShort(ValueError):
    """The password has fewer than 16 bytes."""


class PasswordTooLong(ValueError):
    """The password has more than 128 bytes."""


def generate_password() -> str:
    """Return a new AuthorizationKey: 20 random bytes as 40 hex digits, which every OCPP 1.6 station can take."""
    return secrets.token_hex(20)


def key_bytes(password: bytes) -> bytes:
    """Return the key that a password stands for: 32-40 hex digits stand for 16-20 bytes (OCPP-J 1.6 §6.2.2).

    Some stations send the decoded bytes, some the text; both end up the same here.
    """
    return bytes.fromhex(password.decode("ascii")) if HEX_KEY.fullmatch(password) else password


def hash_password(password: str) -> str:
    """Return the stored form, `sha256$salt$digest`.

    :raises PasswordTooShort: :raises PasswordTooLong:
    """
    key = key_bytes(password.encode())
    if len(key) < MIN_BYTES:
        raise PasswordTooShort(f"a station's password needs {MIN_BYTES} bytes or more (or 32-40 hex digits)")
    if len(key) > MAX_BYTES:
        raise PasswordTooLong(f"a station's password has at most {MAX_BYTES} bytes")
    salt = secrets.token_bytes(16)
    return f"sha256${salt.hex()}${_digest(salt, key)}"


def verify_password(password: bytes, stored: str) -> bool:
    """Whether `password`, as the bytes that came in the header, is the one `stored` was made from."""
    _, salt, digest = stored.split("$")
    return hmac.compare_digest(_digest(bytes.fromhex(salt), key_bytes(password)), digest)


def _digest(salt: bytes, key: bytes) -> str:
    return hashlib.sha256(salt + key).hexdigest()
