"""What a simulated station answers to every command, and what it then does."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from evcharging.simulator.configuration import MAX_KEYS
from evcharging.simulator.tests.conftest import Running
from tests.support.csms import CommandFailed, Csms, Payload

pytestmark = pytest.mark.usefixtures("station")


def at(**later: float) -> str:
    return (datetime.now(UTC) + timedelta(**later)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def remote_start(csms: Csms, **fields: Any) -> Payload:
    """Start a session remotely and return its StartTransaction, with the transaction's id (the first is 71)."""
    assert await csms.command("RemoteStartTransaction", {"idTag": "TAG", **fields}) == {"status": "Accepted"}
    return await csms.call("StartTransaction")


async def charging(csms: Csms, connector_id: int = 1) -> None:
    await remote_start(csms, connectorId=connector_id)
    await csms.call("StatusNotification", lambda payload: payload["status"] == "Charging")


# Sessions


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


# Availability and reservations


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


# Configuration


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


# Local list


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


async def test_local_list_spares_the_question(csms: Csms) -> None:
    await csms.command("ChangeConfiguration", {"key": "LocalPreAuthorize", "value": "true"})
    entry = {"idTag": "LOCAL", "idTagInfo": {"status": "Accepted"}}
    await csms.command("SendLocalList", {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [entry]})
    csms.received.clear()
    await csms.command("RemoteStartTransaction", {"idTag": "local"})
    while "StartTransaction" not in [action for action, _ in csms.received]:
        await asyncio.sleep(0.01)
    assert [action for action, _ in csms.received][:2] == ["StatusNotification", "StartTransaction"]


# Charging profiles


def profile(**fields: Any) -> Payload:
    limit = fields.pop("limit", 6.0)
    return {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
        },
    } | fields


async def set_profile(csms: Csms, connector_id: int, **fields: Any) -> str:
    payload = {"connectorId": connector_id, "csChargingProfiles": profile(**fields)}
    return str((await csms.command("SetChargingProfile", payload))["status"])


async def test_profile_without_power_suspends_and_its_end_resumes(csms: Csms) -> None:
    await csms.command("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "1"})
    await charging(csms)
    purpose = {"chargingProfilePurpose": "TxProfile", "transactionId": 71}
    assert await set_profile(csms, 1, limit=0, **purpose) == "Accepted"
    assert await csms.status(1) == "SuspendedEVSE"
    assert await csms.command("ClearChargingProfile", {"id": 1}) == {"status": "Accepted"}
    assert await csms.status(1) == "Charging"


async def test_profile_limits_what_is_measured(csms: Csms) -> None:
    await csms.command("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "1"})
    given = profile(chargingProfilePurpose="TxProfile")
    await remote_start(csms, chargingProfile=given)
    await csms.call("MeterValues")
    reading = await csms.call("MeterValues")
    currents = [
        value["value"] for value in reading["meterValue"][0]["sampledValue"] if value["measurand"] == "Current.Import"
    ]
    assert currents == ["6.0", "6.0", "6.0"]


async def test_profile_that_does_not_fit_is_rejected(csms: Csms) -> None:
    assert await set_profile(csms, 1, chargingProfilePurpose="ChargePointMaxProfile") == "Rejected"
    assert await set_profile(csms, 1, chargingProfilePurpose="TxProfile") == "Rejected"
    assert await set_profile(csms, 3) == "Rejected"
    assert await set_profile(csms, 0, stackLevel=99) == "Rejected"
    await charging(csms)
    wrong = await set_profile(csms, 1, chargingProfilePurpose="TxProfile", transactionId=72)
    assert wrong == "Rejected"
    given = {"idTag": "TAG", "chargingProfile": profile()}
    assert await csms.command("RemoteStartTransaction", given) == {"status": "Rejected"}


async def test_clear_of_what_is_not_there_is_unknown(csms: Csms) -> None:
    assert await csms.command("ClearChargingProfile", {"id": 5}) == {"status": "Unknown"}
    await set_profile(csms, 1)
    assert await csms.command("ClearChargingProfile", {"connectorId": 2}) == {"status": "Unknown"}
    assert await csms.command("ClearChargingProfile", {"stackLevel": 0}) == {"status": "Accepted"}
    assert await csms.command("ClearChargingProfile") == {"status": "Unknown"}


async def test_composite_schedule_is_the_least_of_all(csms: Csms) -> None:
    steps = [{"startPeriod": 0, "limit": 10.0}, {"startPeriod": 600, "limit": 21.4}]
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": steps}
    assert await set_profile(csms, 1, chargingSchedule=schedule) == "Accepted"
    most = {"chargingProfilePurpose": "ChargePointMaxProfile", "chargingProfileId": 2}
    assert await set_profile(csms, 0, limit=16.0, **most) == "Accepted"
    asked = {"connectorId": 1, "duration": 900, "chargingRateUnit": "A"}
    answer = await csms.command("GetCompositeSchedule", asked)
    assert (answer["status"], answer["connectorId"]) == ("Accepted", 1)
    assert answer["chargingSchedule"] == {
        "duration": 900,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.0}, {"startPeriod": 600, "limit": 16.0}],
    }
    of_the_station = await csms.command("GetCompositeSchedule", {"connectorId": 0, "duration": 60})
    assert of_the_station["chargingSchedule"]["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 11_040.0}]
    assert await csms.command("GetCompositeSchedule", asked | {"connectorId": 3}) == {"status": "Rejected"}


# Messages on demand


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


# Firmware and logs


async def test_firmware_update_installs_and_boots_with_the_new_version(csms: Csms) -> None:
    order = {"location": "https://example.org/v2.1.0.bin", "retrieveDate": at()}
    assert await csms.command("UpdateFirmware", order) == {}
    action = "FirmwareStatusNotification"
    assert await csms.words(action, 3) == ["Downloading", "Downloaded", "Installing"]
    assert (await csms.call("BootNotification"))["firmwareVersion"] == "v2.1.0"
    assert await csms.words(action, 1) == ["Installed"]


async def test_firmware_update_waits_for_the_session(csms: Csms) -> None:
    await charging(csms)
    await csms.command("UpdateFirmware", {"location": "https://example.org/v2.bin", "retrieveDate": at()})
    assert await csms.words("FirmwareStatusNotification", 2) == ["Downloading", "Downloaded"]
    await csms.command("RemoteStopTransaction", {"transactionId": 71})
    assert (await csms.call("StopTransaction"))["reason"] == "Remote"
    assert await csms.words("FirmwareStatusNotification", 1) == ["Installing"]


async def test_firmware_that_cannot_be_fetched_fails(csms: Csms) -> None:
    await csms.command("UpdateFirmware", {"location": "gopher://example.org/v2", "retrieveDate": at()})
    assert await csms.words("FirmwareStatusNotification", 2) == ["Downloading", "DownloadFailed"]


@pytest.fixture(scope="module")
def authority() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    return key, certificate_of(key.public_key(), key)


def certificate_of(public: ec.EllipticCurvePublicKey, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test root")])
    day = timedelta(days=1)
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(public)
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - day).not_valid_after(now + day)
    return builder.sign(key, SHA256())


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def signed_update(authority: Any, **fields: Any) -> Payload:
    firmware = {
        "location": "https://example.org/v3.bin",
        "retrieveDateTime": at(),
        "signingCertificate": pem(authority[1]),
        "signature": "c2lnbmVk",
    }
    return {"requestId": 12, "firmware": firmware | fields}


async def test_signed_firmware_update_is_reported_with_its_request(csms: Csms, authority: Any) -> None:
    assert await csms.command("SignedUpdateFirmware", signed_update(authority)) == {"status": "Accepted"}
    action = "SignedFirmwareStatusNotification"
    words = ["Downloading", "Downloaded", "SignatureVerified", "Installing", "InstallRebooting"]
    assert await csms.words(action, 5) == words
    await csms.booted()
    assert await csms.call(action) == {"status": "Installed", "requestId": 12}
    assert (await csms.call("SecurityEventNotification"))["type"] == "FirmwareUpdated"


async def test_signed_firmware_update_with_a_bad_signature_ends(csms: Csms, authority: Any) -> None:
    await csms.command("SignedUpdateFirmware", signed_update(authority, signature="%%%"))
    action = "SignedFirmwareStatusNotification"
    assert await csms.words(action, 3) == ["Downloading", "Downloaded", "InvalidSignature"]
    assert (await csms.call("SecurityEventNotification"))["type"] == "InvalidFirmwareSignature"


async def test_signed_firmware_update_with_a_bad_certificate_is_refused(csms: Csms, authority: Any) -> None:
    answer = await csms.command("SignedUpdateFirmware", signed_update(authority, signingCertificate="none"))
    assert answer == {"status": "InvalidCertificate"}


async def test_signed_firmware_update_takes_the_place_of_another(csms: Csms, authority: Any) -> None:
    later = signed_update(authority, retrieveDateTime=at(hours=1))
    assert await csms.command("SignedUpdateFirmware", later) == {"status": "Accepted"}
    assert await csms.words("SignedFirmwareStatusNotification", 1) == ["DownloadScheduled"]
    assert await csms.command("SignedUpdateFirmware", signed_update(authority)) == {"status": "AcceptedCanceled"}
    assert await csms.words("SignedFirmwareStatusNotification", 1) == ["Downloading"]


async def test_diagnostics_are_uploaded(csms: Csms) -> None:
    answer = await csms.command("GetDiagnostics", {"location": "ftp://example.org/"})
    assert answer["fileName"].startswith("diagnostics-SIM-0001-")
    assert await csms.words("DiagnosticsStatusNotification", 2) == ["Uploading", "Uploaded"]
    await csms.command("GetDiagnostics", {"location": "gopher://example.org/v2"})
    assert await csms.words("DiagnosticsStatusNotification", 2) == ["Uploading", "UploadFailed"]


async def test_log_is_uploaded_and_a_newer_order_goes_before(csms: Csms) -> None:
    def order(request_id: int, location: str = "https://example.org/") -> Payload:
        return {"logType": "SecurityLog", "requestId": request_id, "log": {"remoteLocation": location}}

    answer = await csms.command("GetLog", order(1))
    assert answer["status"] == "Accepted"
    assert answer["filename"].startswith("SecurityLog-SIM-0001-")
    assert await csms.call("LogStatusNotification") == {"status": "Uploading", "requestId": 1}
    assert (await csms.command("GetLog", order(2)))["status"] == "AcceptedCanceled"
    assert await csms.call("LogStatusNotification") == {"status": "Uploading", "requestId": 2}
    assert await csms.call("LogStatusNotification") == {"status": "Uploaded", "requestId": 2}
    await csms.command("GetLog", order(3, "gopher://example.org/"))
    assert await csms.words("LogStatusNotification", 2) == ["Uploading", "UploadFailure"]


# Certificates


async def test_certificates_are_installed_listed_and_deleted(csms: Csms, authority: Any) -> None:
    use = {"certificateType": "CentralSystemRootCertificate"}
    assert await csms.command("GetInstalledCertificateIds", use) == {"status": "NotFound"}
    installed = await csms.command("InstallCertificate", use | {"certificate": pem(authority[1])})
    assert installed == {"status": "Accepted"}
    (name,) = (await csms.command("GetInstalledCertificateIds", use))["certificateHashData"]
    assert name["serialNumber"] == f"{authority[1].serial_number:x}"
    other = {"certificateType": "ManufacturerRootCertificate"}
    assert await csms.command("GetInstalledCertificateIds", other) == {"status": "NotFound"}
    assert await csms.command("DeleteCertificate", {"certificateHashData": name}) == {"status": "Accepted"}
    assert await csms.command("DeleteCertificate", {"certificateHashData": name}) == {"status": "NotFound"}
    bad = await csms.command("InstallCertificate", use | {"certificate": "none"})
    assert bad == {"status": "Rejected"}


async def test_signed_certificate_must_be_of_the_own_key(csms: Csms, authority: Any) -> None:
    await csms.command("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"})
    request = x509.load_pem_x509_csr((await csms.call("SignCertificate"))["csr"].encode())
    assert request.is_signature_valid
    assert request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "SIM-0001"
    foreign = await csms.command("CertificateSigned", {"certificateChain": pem(authority[1])})
    assert foreign == {"status": "Rejected"}
    own = certificate_of(request.public_key(), authority[0])  # type: ignore[arg-type]
    assert await csms.command("CertificateSigned", {"certificateChain": pem(own)}) == {"status": "Accepted"}


# What is wrong


async def test_command_beyond_the_limit_is_answered_with_an_error_that_counts(csms: Csms, run: Any) -> None:
    station: Running = run(keep_connected=True)
    await csms.booted()
    with pytest.raises(CommandFailed) as failed:
        await csms.command("GetConfiguration", {"key": [f"Key{number}" for number in range(MAX_KEYS + 1)]})
    assert failed.value.args[0] == "OccurenceConstraintViolation"
    assert (await station.end()).error_lines() == [
        "SIM-0001: GetConfiguration was answered OccurenceConstraintViolation at most 50 keys may be asked for at once"
    ]
