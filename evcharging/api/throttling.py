"""How often somebody may ask, counted in Redis by minutes; without Redis nobody is throttled."""

import logging
import time
from typing import Any

from django.conf import settings
from django_redis import get_redis_connection
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from evcharging.api.clients import owner_of

logger = logging.getLogger(__name__)

WINDOW_S = 60
FAILURES_PER_WINDOW = 30
"""Wrong tokens of one address in a minute; more are told to wait. A right token always passes."""
PAUSE_S = 2.0
"""After a failure Redis is not asked for this long: one that hangs costs a time-out per pause, not per request."""

_paused_until = 0.0


def count(key: str, limit: int) -> int | None:
    """Count one event; return None if there were no more than `limit` in this minute, else the seconds until the next.

    Unknown is None: Redis being away refuses nobody.
    """
    global _paused_until
    window, since = divmod(int(time.time()), WINDOW_S)
    if time.monotonic() < _paused_until:
        return None
    try:
        pipeline = get_redis_connection("default").pipeline(transaction=False)
        name = f"api_throttle:{key}:{window}"
        seen, _ = pipeline.incr(name).expire(name, 2 * WINDOW_S).execute()
    except (RedisError, OSError) as error:
        _paused_until = time.monotonic() + PAUSE_S
        logger.warning("redis is away, nobody is throttled: %s", error)
        return None
    return WINDOW_S - since if int(seen) > limit else None


def count_failed_authentication(address: str) -> int | None:
    """Count a wrong token; return how long its sender is to wait, None while it need not (API_THROTTLE 0: never)."""
    if not settings.API_THROTTLE:
        return None
    return count(f"failures:{address}", FAILURES_PER_WINDOW)


class RequestThrottle(BaseThrottle):
    """API_THROTTLE requests a minute for each token, and for each member of staff."""

    def __init__(self) -> None:
        self._wait: int | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        if settings.API_THROTTLE:
            self._wait = count(owner_of(request), settings.API_THROTTLE)
        return self._wait is None

    def wait(self) -> float | None:
        return self._wait
