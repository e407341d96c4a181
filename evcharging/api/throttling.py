"""Rate limits, counted per minute in Redis; while Redis is unavailable there are none."""

import logging
import time
from typing import Any

from django.conf import settings
from django_redis import get_redis_connection
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from evcharging.api.clients import owner_of
from evcharging.redis_breaker import REDIS_ERRORS, RedisBreaker

logger = logging.getLogger(__name__)

WINDOW_S = 60
FAILURES_PER_WINDOW = 30
"""Failed authentications per address and minute, after which the answer is 429. A valid token always passes."""

_breaker = RedisBreaker()


def count(key: str, limit: int) -> int | None:
    """Count one event; return None if there were no more than `limit` in this minute, else the seconds until the next.

    Unknown is None: Redis being away refuses nobody.
    """
    window, since = divmod(int(time.time()), WINDOW_S)
    if _breaker.is_open:
        return None
    try:
        pipeline = get_redis_connection("default").pipeline(transaction=False)
        name = f"api_throttle:{key}:{window}"
        seen, _ = pipeline.incr(name).expire(name, 2 * WINDOW_S).execute()
    except REDIS_ERRORS as error:
        _breaker.trip()
        logger.warning("Redis is unavailable, requests are not throttled: %s", error)
        return None
    return WINDOW_S - since if int(seen) > limit else None


def count_failed_authentication(address: str) -> int | None:
    """Count a failed authentication; return the seconds to wait, or None (with API_THROTTLE=0 always)."""
    if not settings.API_THROTTLE:
        return None
    return count(f"failures:{address}", FAILURES_PER_WINDOW)


class RequestThrottle(BaseThrottle):
    """API_THROTTLE requests per minute for each token and each member of staff."""

    def __init__(self) -> None:
        self._wait: int | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        if settings.API_THROTTLE:
            self._wait = count(owner_of(request), settings.API_THROTTLE)
        return self._wait is None

    def wait(self) -> float | None:
        return self._wait
