"""Waiting for what the server writes a moment later: deviations, refused connections, when a station was last seen."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(look: Callable[[], T], expected: T, timeout_s: float = 8.0) -> None:
    """Look again and again until what is seen is what is expected; fail with what was seen last."""
    deadline = time.monotonic() + timeout_s
    while (seen := look()) != expected:
        assert time.monotonic() < deadline, f"expected {expected!r}, still {seen!r}"
        time.sleep(0.05)
