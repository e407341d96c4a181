"""ChangeAvailability and the statuses that follow."""

import pytest

from tests.support.csms import Csms
from tests.support.steps import charging

pytestmark = pytest.mark.usefixtures("station")


async def test_availability_of_a_connector(csms: Csms) -> None:
    for word, status in (("Inoperative", "Unavailable"), ("Operative", "Available")):
        assert await csms.command("ChangeAvailability", {"connectorId": 1, "type": word}) == {"status": "Accepted"}
        assert await csms.status(1) == status
    rejected = await csms.command("ChangeAvailability", {"connectorId": 3, "type": "Operative"})
    assert rejected == {"status": "Rejected"}


async def test_availability_of_the_station_shows_all_connectors(csms: Csms) -> None:
    assert await csms.command("ChangeAvailability", {"connectorId": 0, "type": "Inoperative"}) == {
        "status": "Accepted"
    }
    assert {number: await csms.status(number) for number in (0, 1, 2)} == dict.fromkeys((0, 1, 2), "Unavailable")
    assert await csms.command("RemoteStartTransaction", {"idTag": "TAG"}) == {"status": "Rejected"}


async def test_availability_of_a_busy_connector_waits_for_the_end(csms: Csms) -> None:
    await charging(csms)
    assert await csms.command("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"}) == {
        "status": "Scheduled"
    }
    await csms.command("RemoteStopTransaction", {"transactionId": 71})
    assert [await csms.status(1), await csms.status(1)] == ["Finishing", "Unavailable"]
