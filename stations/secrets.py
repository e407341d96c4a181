"""Secrets that a command carries: sealed with SECRET_KEY while they wait, and never shown."""

import base64
import hashlib

from cryptography.fernet import Fernet
from django.conf import settings

MASK = "••••••••"
SECRET_KEYS = frozenset({"authorizationkey"})
"""Configuration keys, lower case, whose values are nobody's to read (security white paper A01.FR.08, .09)."""


def is_secret(key: object) -> bool:
    """Whether a configuration key's value is a secret."""
    return isinstance(key, str) and key.strip().lower() in SECRET_KEYS


def seal(text: str) -> bytes:
    """Encrypt a secret for the time that it waits in the database."""
    return _fernet().encrypt(text.encode())


def unseal(sealed: bytes | memoryview) -> str:
    """Return a sealed secret.

    :raises InvalidToken: it was sealed under another SECRET_KEY.
    """
    return _fernet().decrypt(bytes(sealed)).decode()


def _fernet() -> Fernet:
    digest = hashlib.blake2b(settings.SECRET_KEY.encode(), digest_size=32, person=b"command secrets").digest()
    return Fernet(base64.urlsafe_b64encode(digest))
