"""RemoteStartTransaction, RemoteStopTransaction, UnlockConnector and Reset, and what a session then sends."""

import asyncio
from datetime import datetime

import pytest

from tests.support.csms import Csms
from tests.support.steps import charging, remote_start

pytestmark = pytest.mark.usefixtures("station")


async def test_remote_start_and_stop_make_a_session(csms: Csms) -> None:
    start = await remote_start(csms, connectorId=2)
    assert (start["connectorId"], start["idTag"]) == (2, "TAG")
    assert await csms.status(2) == "Charging"
    await asyncio.sleep(0.3)
    assert await csms.command("RemoteStopTransaction", {"transactionId": 71}) == {"status": "Accepted"}
    stop = await csms.call("StopTransaction")
    assert (stop["transactionId"], stop["reason"]) == (71, "Remote")
    assert "idTag" not in stop
    assert stop["meterStop"] >= start["meterStart"]
    assert datetime.fromisoformat(stop["timestamp"]) > datetime.fromisoformat(start["timestamp"])
    assert await csms.status(2) == "Available"


async def test_remote_start_shows_the_plug_and_authorizes_first(csms: Csms) -> None:
    await csms.command("RemoteStartTransaction", {"idTag": "TAG"})
    assert await csms.status(1) == "Preparing"
    assert await csms.call("Authorize") == {"idTag": "TAG"}
    await csms.call("StartTransaction")


async def test_remote_start_of_a_refused_tag_starts_nothing(csms: Csms) -> None:
    csms.answers["Authorize"] = {"idTagInfo": {"status": "Blocked"}}
    assert await csms.command("RemoteStartTransaction", {"idTag": "TAG"}) == {"status": "Accepted"}
    assert [await csms.status(1), await csms.status(1)] == ["Preparing", "Available"]


async def test_remote_start_refused_at_the_start_stops_deauthorized(csms: Csms) -> None:
    csms.answers["StartTransaction"] = {"transactionId": 5, "idTagInfo": {"status": "Invalid"}}
    await remote_start(csms)
    assert (await csms.call("StopTransaction"))["reason"] == "DeAuthorized"


async def test_remote_start_without_a_free_connector_is_rejected(csms: Csms) -> None:
    for _ in range(2):
        await remote_start(csms)
    assert await csms.command("RemoteStartTransaction", {"idTag": "TAG"}) == {"status": "Rejected"}
    assert await csms.command("RemoteStartTransaction", {"idTag": "TAG", "connectorId": 9}) == {"status": "Rejected"}


async def test_remote_stop_of_an_unknown_transaction_is_rejected(csms: Csms) -> None:
    assert await csms.command("RemoteStopTransaction", {"transactionId": 71}) == {"status": "Rejected"}


async def test_unlock_stops_what_charges(csms: Csms) -> None:
    await charging(csms)
    assert await csms.command("UnlockConnector", {"connectorId": 1}) == {"status": "Unlocked"}
    assert (await csms.call("StopTransaction"))["reason"] == "UnlockCommand"
    assert await csms.command("UnlockConnector", {"connectorId": 2}) == {"status": "Unlocked"}
    assert await csms.command("UnlockConnector", {"connectorId": 3}) == {"status": "NotSupported"}


async def test_soft_reset_tells_the_stop_and_boots_again(csms: Csms) -> None:
    await charging(csms)
    assert await csms.command("Reset", {"type": "Soft"}) == {"status": "Accepted"}
    assert (await csms.call("StopTransaction"))["reason"] == "SoftReset"
    await csms.booted()
    assert len(csms.handshakes) == 2


async def test_hard_reset_tells_the_stop_after_the_boot(csms: Csms) -> None:
    await charging(csms)
    assert await csms.command("Reset", {"type": "Hard"}) == {"status": "Accepted"}
    await csms.booted()
    assert (await csms.call("StopTransaction"))["reason"] == "HardReset"
    assert await csms.status(1) == "Available"


async def test_lost_connection_is_made_again_without_a_boot_and_with_all_that_waited(csms: Csms) -> None:
    await charging(csms)
    await csms.command("RemoteStopTransaction", {"transactionId": 71})
    await csms.drop()
    assert (await csms.call("StopTransaction"))["transactionId"] == 71
    assert len(csms.handshakes) == 2
    assert "BootNotification" not in [action for action, _ in csms.received]
