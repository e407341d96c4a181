"""GetConfiguration, ChangeConfiguration, ClearCache and DataTransfer, and what the keys change."""

import pytest

from evcharging.simulator.configuration import MAX_KEYS
from evcharging.simulator.tests.conftest import Run
from tests.support.csms import CommandFailed, Csms
from tests.support.steps import charging, remote_start

pytestmark = pytest.mark.usefixtures("station")


async def test_configuration_has_all_keys_and_names_unknown_ones(csms: Csms) -> None:
    everything = await csms.command("GetConfiguration")
    keys = {entry["key"]: entry for entry in everything["configurationKey"]}
    assert "unknownKey" not in everything
    assert keys["NumberOfConnectors"] == {"key": "NumberOfConnectors", "readonly": True, "value": "2"}
    assert keys["HeartbeatInterval"] == {"key": "HeartbeatInterval", "readonly": False, "value": "300"}
    assert keys["GetConfigurationMaxKeys"]["value"] == str(MAX_KEYS)
    assert keys["AuthorizationKey"] == {"key": "AuthorizationKey", "readonly": False}
    some = await csms.command("GetConfiguration", {"key": ["heartbeatinterval", "Colour"]})
    assert some == {"configurationKey": [keys["HeartbeatInterval"]], "unknownKey": ["Colour"]}


@pytest.mark.parametrize(
    ("key", "value", "status"),
    [
        ("HeartbeatInterval", "60", "Accepted"),
        ("heartbeatinterval", "60", "Accepted"),
        ("HeartbeatInterval", "often", "Rejected"),
        ("HeartbeatInterval", "0", "Rejected"),
        ("LocalPreAuthorize", "TRUE", "Accepted"),
        ("LocalPreAuthorize", "1", "Rejected"),
        ("MeterValuesSampledData", "Voltage,SoC", "Accepted"),
        ("MeterValuesSampledData", "Voltage,Colour", "Rejected"),
        ("NumberOfConnectors", "3", "Rejected"),
        ("WebSocketPingInterval", "30", "RebootRequired"),
        ("AuthorizationKey", "short", "Rejected"),
        ("Colour", "red", "NotSupported"),
    ],
)
async def test_change_of_a_key(csms: Csms, key: str, value: str, status: str) -> None:
    assert await csms.command("ChangeConfiguration", {"key": key, "value": value}) == {"status": status}


async def test_key_that_needs_a_reboot_changes_with_it(csms: Csms) -> None:
    async def value() -> str:
        answer = await csms.command("GetConfiguration", {"key": ["WebSocketPingInterval"]})
        return str(answer["configurationKey"][0]["value"])

    await csms.command("ChangeConfiguration", {"key": "WebSocketPingInterval", "value": "30"})
    assert await value() == "60"
    await csms.command("Reset", {"type": "Soft"})
    await csms.booted()
    assert await value() == "30"


async def test_sampled_measurands_and_interval_are_what_is_configured(csms: Csms) -> None:
    await csms.command("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "1"})
    await csms.command("ChangeConfiguration", {"key": "MeterValuesSampledData", "value": "Voltage"})
    await charging(csms)
    reading = await csms.call("MeterValues")
    assert [value["measurand"] for value in reading["meterValue"][0]["sampledValue"]] == ["Voltage"] * 3
    assert (reading["connectorId"], reading["transactionId"]) == (1, 71)


async def test_clock_aligned_samples_come_when_configured(csms: Csms) -> None:
    await csms.command("ChangeConfiguration", {"key": "ClockAlignedDataInterval", "value": "1"})
    for connector_id in (0, 1, 2):
        reading = await csms.call("MeterValues", lambda payload, number=connector_id: payload["connectorId"] == number)
        assert reading["meterValue"][0]["sampledValue"][0]["context"] == "Sample.Clock"


async def test_heartbeat_interval_is_what_is_configured(csms: Csms) -> None:
    await csms.command("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "1"})
    await csms.call("Heartbeat")


async def test_new_authorization_key_is_used_by_the_next_connection(csms: Csms) -> None:
    key = "000102030405060708090a0b0c0d0e0fff3aff3a"
    answer = await csms.command("ChangeConfiguration", {"key": "AuthorizationKey", "value": key})
    assert answer == {"status": "Accepted"}
    await csms.call("Heartbeat")
    assert csms.handshakes == [None, b"SIM-0001:" + bytes.fromhex(key)]


async def test_cache_answers_until_it_is_cleared(csms: Csms) -> None:
    await csms.command("ChangeConfiguration", {"key": "LocalPreAuthorize", "value": "true"})
    await remote_start(csms)
    csms.received.clear()
    await csms.command("RemoteStartTransaction", {"idTag": "TAG"})
    await csms.call("StartTransaction", lambda payload: "Authorize" not in [action for action, _ in csms.received])
    assert await csms.status(2) == "Charging"  # what the start was answered has been learnt, too
    assert await csms.command("ClearCache") == {"status": "Accepted"}
    await csms.command("UnlockConnector", {"connectorId": 2})
    await csms.call("StopTransaction")
    assert await csms.status(2) == "Available"
    await csms.command("RemoteStartTransaction", {"idTag": "TAG"})
    await csms.call("Authorize")
    await csms.command("ChangeConfiguration", {"key": "AuthorizationCacheEnabled", "value": "false"})
    assert await csms.command("ClearCache") == {"status": "Rejected"}


async def test_data_transfer_understands_one_message(csms: Csms) -> None:
    echo = {"vendorId": "Simulated", "messageId": "Echo", "data": "hello"}
    assert await csms.command("DataTransfer", echo) == {"status": "Accepted", "data": "hello"}
    assert await csms.command("DataTransfer", echo | {"messageId": "Dance"}) == {"status": "UnknownMessageId"}
    assert await csms.command("DataTransfer", echo | {"vendorId": "Other"}) == {"status": "UnknownVendorId"}


async def test_command_beyond_the_limit_is_answered_with_an_error_that_counts(csms: Csms, run: Run) -> None:
    running = run(keep_connected=True)
    await csms.booted()
    with pytest.raises(CommandFailed) as failed:
        await csms.command("GetConfiguration", {"key": [f"Key{number}" for number in range(MAX_KEYS + 1)]})
    assert failed.value.args[0] == "OccurenceConstraintViolation"
    assert (await running.end()).error_lines() == [
        "SIM-0001: GetConfiguration was answered OccurenceConstraintViolation at most 50 keys may be asked for at once"
    ]
