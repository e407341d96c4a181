"""CALLs in the words of the connection's version, whatever the row shows."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest

from evcharging.gateway.calls import Caller, Reply
from evcharging.gateway.connection import Connection
from evcharging.gateway.dialect import Dialect
from evcharging.gateway.ocpp16.dialect import OCPP16
from evcharging.gateway.ocppj import frames
from stations.operations import ChangeConfiguration, ClearTagCache, RawFrame, Reset
from stations.secrets import MASK
from stations.services.calls import CallOutcome, ClaimedCommand
from stations.services.connection import ConnectedStation
from tests.support.other_dialect import OTHER, VERSION

STATION = ConnectedStation(1, "CP", 1, "Accepted", True, "UTC", "", 300, 60, 900, 0, "", "", None)
ID = UUID(int=7)


class Claims:
    def __init__(self, command: ClaimedCommand) -> None:
        self.waiting = [command]

    async def submit(self, claim: Any) -> ClaimedCommand | None:
        return self.waiting.pop() if self.waiting else None


class Outcomes:
    def __init__(self) -> None:
        self.recorded: asyncio.Future[CallOutcome] = asyncio.get_running_loop().create_future()

    async def submit(self, outcome: CallOutcome) -> bool:
        self.recorded.set_result(outcome)
        return True


class Lanes:
    def __init__(self, command: ClaimedCommand) -> None:
        self.claims, self.outcomes = Claims(command), Outcomes()


async def told(dialect: Dialect, command: ClaimedCommand, status: str = "Accepted") -> tuple[list[Any], CallOutcome]:
    """Let a connection of this version send the command; return what went out and what is recorded."""
    sent: list[Any] = []
    lanes: Any = Lanes(command)

    async def send(text: str) -> None:
        sent.append(json.loads(text))
        answer = frames.parse(json.dumps([3, str(ID), {"status": status}]))
        assert isinstance(answer, frames.CallResult)
        caller.on_reply(Reply(answer, ""))

    async def close(code: int) -> None: ...

    connection = Connection(STATION, send=send, close=close, transport=None)
    caller = Caller(connection, dialect=dialect, lanes=lanes, count=lambda action, deviations: None)
    caller.notify()
    outcome = await asyncio.wait_for(lanes.outcomes.recorded, 5)
    await caller.close()
    return sent, outcome


def claimed(operation: Any, version: str = "ocpp1.6", **fields: Any) -> ClaimedCommand:
    return ClaimedCommand(ID, operation, version, "AsAsked", 5.0, False)._replace(**fields)


async def test_frame_is_the_one_that_the_row_shows_where_the_version_is_the_same():
    sent, outcome = await told(OCPP16, claimed(Reset(is_immediate=True)))
    assert sent == [[2, str(ID), "Reset", {"type": "Hard"}]]
    assert (outcome.status, outcome.result_status, outcome.sent, outcome.version) == ("answered", "Accepted", None, "")


async def test_queued_command_survives_a_change_of_version():
    sent, outcome = await told(OTHER, claimed(Reset(is_immediate=True)), "Later")
    assert sent == [[2, str(ID), "Restart", {"now": True}]]
    assert (outcome.version, outcome.sent) == (VERSION, ("Restart", {"now": True}))
    sent, outcome = await told(OCPP16, claimed(Reset(is_immediate=False), VERSION))
    assert sent == [[2, str(ID), "Reset", {"type": "Soft"}]]
    assert (outcome.version, outcome.sent) == ("ocpp1.6", ("Reset", {"type": "Soft"}))


async def test_secret_goes_out_and_is_recorded_masked():
    command = claimed(ChangeConfiguration(key="AuthorizationKey", value=MASK), secret="00112233445566778899")
    sent, outcome = await told(OCPP16, command)
    assert sent == [[2, str(ID), "ChangeConfiguration", {"key": "AuthorizationKey", "value": "00112233445566778899"}]]
    assert outcome.sent is None
    sent, outcome = await told(OTHER, command)
    assert sent == [[2, str(ID), "SetVariable", {"name": "AuthorizationKey", "to": "00112233445566778899"}]]
    assert outcome.sent == ("SetVariable", {"name": "AuthorizationKey", "to": MASK})


@pytest.mark.parametrize(
    ("dialect", "operation"),
    [
        (OTHER, ClearTagCache()),
        (OTHER, RawFrame("ocpp1.6", "AcmeSelfTest", {})),
        (OCPP16, RawFrame(VERSION, "Restart", {})),
        (OCPP16, RawFrame("ocpp1.6", "Reset", {"type": "Warm"})),  # nobody insisted
    ],
)
async def test_what_the_version_has_no_words_for_is_not_sent(dialect, operation):
    sent, outcome = await told(dialect, claimed(operation))
    assert sent == []
    assert (outcome.status, outcome.error["code"]) == ("call_error", "InternalError")
    assert outcome.error["description"].startswith("not sent: ")


async def test_raw_frame_of_its_version_goes_out_as_it_is_written():
    sent, _ = await told(OCPP16, claimed(RawFrame("ocpp1.6", "Reset", {"type": "Warm"}), allows_invalid=True))
    assert sent == [[2, str(ID), "Reset", {"type": "Warm"}]]
