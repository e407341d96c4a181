"""Reads of tokens."""

from datetime import datetime

from evcharging.api.models import ApiToken
from evcharging.api.tokens import digest_of, looks_like_token


def find_token(*, token: str, now: datetime) -> ApiToken | None:
    """Return the valid token of this text, or None.

    Looked up by its digest, so that the time this takes discloses nothing of a token.
    """
    if not looks_like_token(token):
        return None
    found = ApiToken.objects.filter(digest=digest_of(token)).first()
    return found if found is not None and found.is_valid(now) else None
