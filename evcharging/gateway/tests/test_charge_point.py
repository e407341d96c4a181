"""What a connection asks of memory before it handles a message."""

from types import SimpleNamespace
from typing import Any

import pytest

from evcharging.gateway.charge_point import ChargePoint
from evcharging.gateway.connection import Connection
from evcharging.gateway.counters import Counters
from evcharging.gateway.ocpp16.dialect import OCPP16
from stations.services.connection import ConnectedStation
from transactions.types import StartAnswer

STATION = ConnectedStation(1, "CP", 1, "Accepted", True, "UTC", "", 300, 60, 900, 0, "", "", None)
PAYLOAD = '{"connectorId":1,"idTag":"TAG","meterStart":0,"timestamp":"2026-11-01T10:00:00Z"}'


class Memory:
    """Answers that were given before, by their frames."""

    def __init__(self, known: dict[str, str]) -> None:
        self.known, self.asked = known, 0

    async def find(self, station_id: int, text: str) -> str | None:
        self.asked += 1
        return self.known.get(text)

    def keep(self, station_id: int, text: str, answer: str) -> None:
        self.known[text] = answer


class Lane:
    def __init__(self) -> None:
        self.messages: list[Any] = []

    async def submit(self, message: Any) -> StartAnswer:
        self.messages.append(message)
        return StartAnswer(7, {"status": "Accepted"}, False, True)


def start(unique_id: str) -> str:
    return f'[2,"{unique_id}","StartTransaction",{PAYLOAD}]'


@pytest.fixture
def memory() -> Memory:
    return Memory({start("a"): '[3,"a",{}]', start("b"): '[3,"b",{}]'})


@pytest.fixture
def lane() -> Lane:
    return Lane()


@pytest.fixture
def charge_point(memory: Memory, lane: Lane) -> ChargePoint:
    async def nothing(_: Any) -> None:
        return None

    lanes: Any = SimpleNamespace(starts=lane)
    connection = Connection(STATION, send=nothing, close=nothing, transport=None)
    return ChargePoint(connection, dialect=OCPP16, lanes=lanes, answers=memory, counters=Counters())


async def test_memory_is_asked_until_the_first_start_that_is_new(charge_point, memory, lane):
    for unique_id in ("a", "b"):
        assert await charge_point.on_text(start(unique_id)) == memory.known[start(unique_id)]
    assert (memory.asked, lane.messages) == (2, [])
    answer = '[3,"c",{"transactionId":7,"idTagInfo":{"status":"Accepted"}}]'
    assert await charge_point.on_text(start("c")) == answer
    assert memory.asked == 3
    assert memory.known[start("c")] == answer  # for the next connection
    assert await charge_point.on_text(start("d")) is not None
    assert (memory.asked, len(lane.messages)) == (3, 2)
