"""ReserveNow and CancelReservation, and whom a reserved connector serves."""

from typing import Any

import pytest

from tests.support.csms import Csms, Payload
from tests.support.steps import at, charging, remote_start

pytestmark = pytest.mark.usefixtures("station")


def reservation(**fields: Any) -> Payload:
    return {"connectorId": 1, "expiryDate": at(hours=1), "idTag": "VIP", "reservationId": 4} | fields


async def test_reservation_keeps_a_connector_for_its_tag(csms: Csms) -> None:
    assert await csms.command("ReserveNow", reservation()) == {"status": "Accepted"}
    assert await csms.status(1) == "Reserved"
    other = await csms.command("RemoteStartTransaction", {"idTag": "TAG", "connectorId": 1})
    assert other == {"status": "Rejected"}
    await csms.command("RemoteStartTransaction", {"idTag": "vip", "connectorId": 1})
    assert (await csms.call("StartTransaction"))["reservationId"] == 4
    assert await csms.command("CancelReservation", {"reservationId": 4}) == {"status": "Rejected"}


async def test_cancelled_reservation_frees_the_connector(csms: Csms) -> None:
    await csms.command("ReserveNow", reservation())
    assert await csms.status(1) == "Reserved"
    assert await csms.command("CancelReservation", {"reservationId": 4}) == {"status": "Accepted"}
    assert await csms.status(1) == "Available"


async def test_reservation_expires(csms: Csms) -> None:
    await csms.command("ReserveNow", reservation(expiryDate=at(seconds=0.5)))
    assert [await csms.status(1), await csms.status(1)] == ["Reserved", "Available"]


async def test_reservation_of_the_whole_station_keeps_one_connector(csms: Csms) -> None:
    assert await csms.command("ReserveNow", reservation(connectorId=0)) == {"status": "Accepted"}
    await remote_start(csms)
    assert await csms.command("RemoteStartTransaction", {"idTag": "TAG"}) == {"status": "Rejected"}
    assert (await remote_start(csms, idTag="VIP"))["reservationId"] == 4


async def test_reservation_that_is_impossible_says_why(csms: Csms) -> None:
    await charging(csms)
    assert await csms.command("ReserveNow", reservation()) == {"status": "Occupied"}
    assert await csms.command("ReserveNow", reservation(connectorId=9)) == {"status": "Rejected"}
    assert await csms.command("ReserveNow", reservation(connectorId=2, expiryDate=at(hours=-1))) == {
        "status": "Rejected"
    }
    await csms.command("ChangeAvailability", {"connectorId": 2, "type": "Inoperative"})
    assert await csms.command("ReserveNow", reservation(connectorId=2)) == {"status": "Unavailable"}
