"""Steps of several tests: timestamps, and sessions that are started remotely."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.csms import Csms, Payload


def at(**later: float) -> str:
    return (datetime.now(UTC) + timedelta(**later)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def remote_start(csms: Csms, **fields: Any) -> Payload:
    """Start a session remotely and return its StartTransaction, with the transaction's id (the first is 71)."""
    assert await csms.command("RemoteStartTransaction", {"idTag": "TAG", **fields}) == {"status": "Accepted"}
    return await csms.call("StartTransaction")


async def charging(csms: Csms, connector_id: int = 1) -> None:
    await remote_start(csms, connectorId=connector_id)
    await csms.call("StatusNotification", lambda payload: payload["status"] == "Charging")
