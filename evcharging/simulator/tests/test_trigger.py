"""TriggerMessage and ExtendedTriggerMessage, and the messages that follow."""

import pytest

from tests.support.csms import Csms

pytestmark = pytest.mark.usefixtures("station")


@pytest.mark.parametrize(
    ("command", "message", "action"),
    [
        *(
            ("TriggerMessage", message, message)
            for message in (
                "BootNotification", "DiagnosticsStatusNotification", "FirmwareStatusNotification", "Heartbeat",
                "MeterValues", "StatusNotification",
            )
        ),
        *(
            ("ExtendedTriggerMessage", message, message)
            for message in ("BootNotification", "Heartbeat", "LogStatusNotification", "MeterValues",
                            "StatusNotification")
        ),
        ("ExtendedTriggerMessage", "FirmwareStatusNotification", "SignedFirmwareStatusNotification"),
        ("ExtendedTriggerMessage", "SignChargePointCertificate", "SignCertificate"),
    ],
)  # fmt: skip
async def test_triggered_message_is_sent(csms: Csms, command: str, message: str, action: str) -> None:
    csms.received.clear()
    assert await csms.command(command, {"requestedMessage": message}) == {"status": "Accepted"}
    await csms.call(action)


async def test_triggered_message_of_one_connector(csms: Csms) -> None:
    csms.received.clear()
    for message in ("StatusNotification", "MeterValues"):
        asked = {"requestedMessage": message, "connectorId": 2}
        assert await csms.command("TriggerMessage", asked) == {"status": "Accepted"}
        assert (await csms.call(message))["connectorId"] == 2
    assert csms.received == []
    rejected = {"requestedMessage": "MeterValues", "connectorId": 3}
    assert await csms.command("TriggerMessage", rejected) == {"status": "Rejected"}
