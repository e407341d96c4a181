"""A circuit breaker for Redis, which everything here can do without: after a failure it is not asked for a while."""

import time

from redis.exceptions import RedisError

OPEN_S = 2.0
"""Seconds without a command after a failure: a Redis that hangs costs one time-out per pause, not one per caller."""
REDIS_ERRORS = (RedisError, OSError)
"""What a client raises when Redis is unavailable; time-outs are among them."""


class RedisBreaker:
    """One caller's view of Redis; it may be used from several threads."""

    def __init__(self) -> None:
        self._open_until = 0.0  # time.monotonic()

    @property
    def is_open(self) -> bool:
        """Whether the last failure is so recent that no command is to be sent."""
        return time.monotonic() < self._open_until

    def trip(self) -> None:
        """Note a failure."""
        self._open_until = time.monotonic() + OPEN_S
