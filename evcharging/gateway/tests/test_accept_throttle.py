"""A server that does not keep up accepts one connection at a time."""

import asyncio
import time

from evcharging.gateway.websocket.accept_throttle import (
    ACCEPTS,
    ACCEPTS_WHEN_LATE,
    CHECK_EVERY_S,
    LATE_S,
    AcceptThrottle,
)


class Port:
    numberAccepts = 100  # noqa: N815 - Twisted's name


async def test_fewer_are_accepted_while_the_loop_is_late():
    port, throttle = Port(), AcceptThrottle()
    throttle.add(port)
    await asyncio.sleep(3 * CHECK_EVERY_S)
    assert port.numberAccepts == ACCEPTS
    time.sleep(CHECK_EVERY_S + LATE_S + 0.02)  # noqa: ASYNC251 - the loop is held on purpose
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # the timer comes after who is ready already
    assert port.numberAccepts == ACCEPTS_WHEN_LATE
    port.numberAccepts = 60
    await asyncio.sleep(5 * CHECK_EVERY_S)
    assert port.numberAccepts == ACCEPTS
    throttle.stop()
    port.numberAccepts = 60
    await asyncio.sleep(3 * CHECK_EVERY_S)
    assert port.numberAccepts == 60
