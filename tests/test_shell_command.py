"""manage.py ocpp beside a running server: what it sends, prints and exits with."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.live_server import REPOSITORY, LiveServer
from tests.support.retrying_charger import Link

Done = subprocess.CompletedProcess[str]


@pytest.fixture
def server(start_server: Callable[..., LiveServer]) -> LiveServer:
    return start_server(OCPP_ENROLMENT="open")


@asynccontextmanager
async def charger(server: LiveServer, identity: str, status: str) -> AsyncIterator[list[Any]]:
    """A connected charger that answers every command with a status; yields the CALLs it was sent."""
    link = await Link.open(server.url, identity)
    calls: list[Any] = []
    booted = asyncio.Event()

    async def serve() -> None:
        with suppress(ConnectionClosed):
            async for text in link.socket:
                frame = json.loads(text)
                if frame[0] == 2:
                    calls.append(frame)
                    await link.send(json.dumps([3, frame[1], {"status": status}]))
                else:
                    booted.set()

    task = asyncio.create_task(serve())
    boot = {"chargePointVendor": "Acme", "chargePointModel": "X"}
    await link.send(json.dumps([2, "1", "BootNotification", boot]))
    await booted.wait()
    try:
        yield calls
    finally:
        await link.close()
        await task


async def ocpp(server: LiveServer, *words: str, text: str = "") -> Done:
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "manage.py", "ocpp", *words],
        cwd=REPOSITORY, env=os.environ | server.env, input=text, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


async def test_command_is_sent_and_its_answer_told(server):
    async with charger(server, "A", "Accepted") as calls:
        done = await ocpp(server, "a", "Reset", "type=Soft", "--wait", "--reason", "it hangs")
    assert (done.returncode, [call[2:] for call in calls]) == (0, [["Reset", {"type": "Soft"}]])
    assert f"A Reset {calls[0][1]}: answered Accepted" in done.stdout
    assert server.query("SELECT via, reason, status, result_status FROM stations_command") == [
        ("shell", "it hangs", "answered", "Accepted")
    ]


async def test_station_that_says_no_is_an_error(server):
    async with charger(server, "A", "Rejected") as calls:
        done = await ocpp(
            server, "A", "ChangeAvailability", "--json", "-", "--wait", text='{"connectorId":0,"type":"Operative"}'
        )
    assert (done.returncode, calls[0][3]) == (1, {"connectorId": 0, "type": "Operative"})
    assert done.stderr == "CommandError: Rejected\n"


async def test_many_stations_are_followed_to_their_results(server):
    async with charger(server, "A", "Accepted"), charger(server, "B", "Rejected"), charger(server, "C", "Accepted"):
        done = await ocpp(server, "--filter", "online", "ClearCache", "--rate", "100", "--wait")
    assert done.returncode == 1
    assert "2 of 3 succeeded, 1 failed, 0 refused, 0 open" in done.stdout
    assert "B: Rejected" in done.stderr
    assert "CommandError: 1 commands did not succeed" in done.stderr


async def test_station_that_is_away_gets_it_later_or_not_at_all(server):
    async with charger(server, "A", "Accepted"):
        pass
    done = await ocpp(server, "A", "ClearCache", "--wait")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert server.query("SELECT status FROM stations_command") == [("not_connected",)]
    done = await ocpp(server, "A", "ClearCache", "--queue", "600")
    assert done.returncode == 0
    async with charger(server, "A", "Accepted") as calls:
        async with asyncio.timeout(15):
            while not calls:
                await asyncio.sleep(0.02)
    assert calls[0][2] == "ClearCache"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["NOBODY", "ClearCache"], "no station NOBODY"),
        (["A"], "an action is missing"),
        (["A", "Reset", "type=Warm"], '"Hard" or "Soft"'),
        (["A", "Reset", "nonsense"], "nonsense"),
        (["A", "Reset", "--json", "/nowhere"], "/nowhere"),
        (["--filter", "colour=red", "ClearCache"], "colour"),
    ],
)
async def test_what_cannot_be_meant_gets_one_line_and_no_row(server, words, said):
    async with charger(server, "A", "Accepted") as calls:
        done = await ocpp(server, *words)
    assert (done.returncode, len(done.stderr.splitlines()), calls) == (1, 1, [])
    assert said in done.stderr
    assert server.query("SELECT count(*) FROM stations_command") == [(0,)]
