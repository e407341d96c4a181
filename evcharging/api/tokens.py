"""The form of tokens: 32 random bytes, so that one fast hash is as hard to reverse as the token is to guess."""

import hashlib
import re
import secrets

PREFIX = "evc_"
_SHAPE = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")
START_LENGTH = len(PREFIX) + 4


def generate_token() -> str:
    """Return a new token; its prefix is for people and secret scanners."""
    return PREFIX + secrets.token_urlsafe(32)


def looks_like_token(text: str) -> bool:
    """Tell whether a text has the form of a token."""
    return _SHAPE.fullmatch(text) is not None


def digest_of(token: str) -> str:
    """Return the digest by which a token is stored and looked up."""
    return hashlib.sha256(token.encode()).hexdigest()
