"""What a token looks like. It is 32 random bytes, so one fast hash is as hard to reverse as it is to guess."""

import hashlib
import re
import secrets

PREFIX = "evc_"
_SHAPE = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")
START_LENGTH = len(PREFIX) + 4


def generate_token() -> str:
    """Return a new token; the prefix lets people and secret scanners tell what it is."""
    return PREFIX + secrets.token_urlsafe(32)


def looks_like_token(text: str) -> bool:
    """Whether it can be a token of ours at all."""
    return _SHAPE.fullmatch(text) is not None


def digest_of(token: str) -> str:
    """Return what is stored of a token, and looked up by."""
    return hashlib.sha256(token.encode()).hexdigest()
