"""SendLocalList and GetLocalListVersion, and authorization by the list."""

import asyncio

import pytest

from tests.support.csms import Csms, Payload

pytestmark = pytest.mark.usefixtures("station")


async def test_local_list_has_a_version(csms: Csms) -> None:
    async def send(version: int, kind: str, *entries: Payload) -> str:
        payload = {"listVersion": version, "updateType": kind, "localAuthorizationList": list(entries)}
        return str((await csms.command("SendLocalList", payload))["status"])

    async def version() -> int:
        return int((await csms.command("GetLocalListVersion"))["listVersion"])

    one = {"idTag": "ONE", "idTagInfo": {"status": "Accepted"}}
    two = {"idTag": "TWO", "idTagInfo": {"status": "Blocked"}}
    assert await version() == 0
    assert await send(3, "Full", one) == "Accepted"
    assert await version() == 3
    assert await send(3, "Differential", two) == "VersionMismatch"
    assert await send(4, "Differential", two, {"idTag": "ONE"}) == "Accepted"
    assert await version() == 4
    assert await send(5, "Full", {"idTag": "ONE"}) == "Failed"
    assert await send(6, "Differential", two, two) == "Failed"
    assert await send(7, "Full") == "Accepted"
    assert await version() == 0
    await csms.command("ChangeConfiguration", {"key": "LocalAuthListEnabled", "value": "false"})
    assert await version() == -1
    assert await send(8, "Full", one) == "NotSupported"


async def test_tag_on_the_local_list_is_not_authorized_online(csms: Csms) -> None:
    await csms.command("ChangeConfiguration", {"key": "LocalPreAuthorize", "value": "true"})
    entry = {"idTag": "LOCAL", "idTagInfo": {"status": "Accepted"}}
    await csms.command("SendLocalList", {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [entry]})
    csms.received.clear()
    await csms.command("RemoteStartTransaction", {"idTag": "local"})
    while "StartTransaction" not in [action for action, _ in csms.received]:
        await asyncio.sleep(0.01)
    assert [action for action, _ in csms.received][:2] == ["StatusNotification", "StartTransaction"]
