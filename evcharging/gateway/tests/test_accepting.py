"""A server that does not keep up accepts nobody, until it does."""

import asyncio
import time

from evcharging.gateway.accepting import ACCEPTS_AT_ONCE, LATE_S, TICK_S, Acceptance


class Port:
    numberAccepts = 100  # noqa: N815 - Twisted's names

    def __init__(self) -> None:
        self.said: list[str] = []

    def startReading(self) -> None:  # noqa: N802
        self.said.append("start")

    def stopReading(self) -> None:  # noqa: N802
        self.said.append("stop")


async def test_port_is_shut_while_the_loop_is_late():
    port, acceptance = Port(), Acceptance()
    acceptance.add(port)
    await asyncio.sleep(3 * TICK_S)
    assert (port.said, port.numberAccepts) == ([], ACCEPTS_AT_ONCE)
    for _ in range(2):
        time.sleep(TICK_S + LATE_S + 0.02)  # noqa: ASYNC251 - the loop is held on purpose
        await asyncio.sleep(0)
    assert port.said[0] == "stop"
    port.numberAccepts = 60
    await asyncio.sleep(5 * TICK_S)
    assert (port.said[-1], port.numberAccepts) == ("start", ACCEPTS_AT_ONCE)
    acceptance.stop()
    said = len(port.said)
    time.sleep(TICK_S + LATE_S + 0.02)  # noqa: ASYNC251
    await asyncio.sleep(2 * TICK_S)
    assert len(port.said) == said
