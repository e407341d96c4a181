"""Every operation with every end: each word the specification allows, an error, silence, an answer too late."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.models import Connector
from evcharging.gateway.ocpp16.operation_tables import SAID
from evcharging.ocpp16_schemas import SCHEMAS, status_words
from id_tags.models import IdTag
from stations.models import Command, Station
from stations.services.commands import CommandRefused
from tests.support.charger import Charger
from tests.support.commanding import request_frame
from tests.support.payloads import start, status, stop
from tests.support.waiting import until

Plug = Callable[..., Charger]
AT = "2030-01-01T00:00:00Z"
HASH = {"hashAlgorithm": "SHA256", "issuerNameHash": "ab", "issuerKeyHash": "cd", "serialNumber": "01"}
FIRMWARE = {"location": "https://a.b/fw", "retrieveDateTime": AT, "signingCertificate": "PEM", "signature": "c2ln"}
PROFILE = {
    "chargingProfileId": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": {
        "startSchedule": AT,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 21.4}],
    },
}
PAYLOADS: dict[str, dict[str, Any]] = {
    "CancelReservation": {"reservationId": 7},
    "CertificateSigned": {"certificateChain": "PEM"},
    "ChangeAvailability": {"connectorId": 1, "type": "Inoperative"},
    "ChangeConfiguration": {"key": "HeartbeatInterval", "value": "60"},
    "ClearCache": {},
    "ClearChargingProfile": {"connectorId": 1},
    "DataTransfer": {"vendorId": "Acme", "messageId": "Hello", "data": "x"},
    "DeleteCertificate": {"certificateHashData": HASH},
    "ExtendedTriggerMessage": {"requestedMessage": "SignChargePointCertificate"},
    "GetCompositeSchedule": {"connectorId": 1, "duration": 3600},
    "GetConfiguration": {},
    "GetDiagnostics": {"location": "ftp://a.b/in"},
    "GetInstalledCertificateIds": {"certificateType": "ManufacturerRootCertificate"},
    "GetLocalListVersion": {},
    "GetLog": {"logType": "SecurityLog", "requestId": 5, "log": {"remoteLocation": "https://a.b/in"}},
    "InstallCertificate": {"certificateType": "CentralSystemRootCertificate", "certificate": "PEM"},
    "RemoteStartTransaction": {"idTag": "TAG", "connectorId": 1},
    "RemoteStopTransaction": {"transactionId": 1},
    "ReserveNow": {"connectorId": 1, "expiryDate": AT, "idTag": "TAG", "reservationId": 7},
    "Reset": {"type": "Soft"},
    "SendLocalList": {"listVersion": 5, "updateType": "Full", "localAuthorizationList": []},
    "SetChargingProfile": {"connectorId": 1, "csChargingProfiles": PROFILE},
    "SignedUpdateFirmware": {"requestId": 6, "firmware": FIRMWARE},
    "TriggerMessage": {"requestedMessage": "Heartbeat"},
    "UnlockConnector": {"connectorId": 1},
    "UpdateFirmware": {"location": "ftp://a.b/fw", "retrieveDate": AT},
}
ANSWERS: dict[str, dict[str, Any]] = {
    "GetCompositeSchedule": {
        "connectorId": 1,
        "scheduleStart": AT,
        "chargingSchedule": {
            "duration": 3600,
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}],
        },
    },
    "GetConfiguration": {"configurationKey": [{"key": "A", "readonly": True, "value": "1"}]},
    "GetDiagnostics": {"fileName": "diagnostics.zip"},
    "GetInstalledCertificateIds": {"certificateHashData": [HASH]},
    "GetLocalListVersion": {"listVersion": 3},
    "GetLog": {"filename": "log.txt"},
}
"""What an answer carries besides its status."""

OPERATIONS = {said.action: said for said in SAID}


@pytest.fixture(scope="module")
def server_settings() -> dict[str, Any]:
    return {"OCPP_CALL_TIMEOUT_S": 20}


@pytest.fixture
def prepared(charger: Charger, station: Station, tag: IdTag) -> Callable[[str], dict[str, Any]]:
    """Make what the operation's rules want to be there, and return its payload."""

    def prepare(action: str) -> dict[str, Any]:
        payload = dict(PAYLOADS[action])
        if "idTag" in payload:
            payload["idTag"] = tag.id_tag
        if action == "RemoteStopTransaction":
            payload["transactionId"] = charger.result("StartTransaction", start(tag.id_tag))["transactionId"]
        if action == "CancelReservation":
            reserve = request(station, "ReserveNow", {**PAYLOADS["ReserveNow"], "idTag": tag.id_tag})
            answer(charger, reserve, {"status": "Accepted"})
            ended(reserve)
        return payload

    return prepare


def request(station: Station, action: str, payload: dict[str, Any], **options: Any) -> Command:
    return request_frame(
        station_id=station.pk,
        action=action,
        payload=payload,
        requested_by="anna",
        via="shell",
        now=datetime.now(UTC),
        **options,
    )


def answer(charger: Charger, command: Command, payload: Any) -> None:
    """Take the CALL of a command, exactly as requested, and answer it."""
    assert charger.receive() == [2, str(command.pk), command.action, command.payload]
    charger.send(json.dumps([3, str(command.pk), payload]))


def ended(command: Command) -> Command:
    until(lambda: Command.objects.get(pk=command.pk).has_ended, True)
    return Command.objects.get(pk=command.pk)


def words_of(action: str) -> list[str]:
    return sorted(status_words(action)) or [""]


def test_every_operation_is_here() -> None:
    assert set(PAYLOADS) == set(OPERATIONS)
    assert {action for action in OPERATIONS if f"{action}Response" in SCHEMAS} == set(OPERATIONS)


@pytest.mark.parametrize(
    ("action", "word"), [(action, word) for action in sorted(OPERATIONS) for word in words_of(action)]
)
def test_every_status_word(
    charger: Charger, station: Station, prepared: Callable[[str], dict[str, Any]], action: str, word: str
) -> None:
    command = request(station, action, prepared(action))
    payload = {**ANSWERS.get(action, {}), **({"status": word} if word else {})}
    answer(charger, command, payload)
    row = ended(command)
    successes = OPERATIONS[action].yes
    assert (row.status, row.result_status, row.response, row.error) == ("answered", word, payload, None)
    assert row.succeeded is (not successes or word in successes)


@pytest.mark.parametrize("action", sorted(OPERATIONS))
def test_error_and_silence_and_a_late_answer(
    charger: Charger, station: Station, prepared: Callable[[str], dict[str, Any]], action: str
) -> None:
    payload = prepared(action)
    refused = request(station, action, payload)
    charger.receive()
    charger.send(json.dumps([4, str(refused.pk), "NotSupported", "not here", {}]))
    row = ended(refused)
    assert (row.status, row.succeeded, row.expected_effect) == ("call_error", False, "")
    assert row.error == {"code": "NotSupported", "description": "not here"}
    silent = request(station, action, payload, timeout_s=0.3)
    charger.receive()
    row = ended(silent)
    assert (row.status, row.succeeded, row.expected_effect) == ("timed_out", False, "")
    late = {**ANSWERS.get(action, {}), **({"status": words_of(action)[0]} if words_of(action)[0] else {})}
    charger.send(json.dumps([3, str(silent.pk), late]))
    until(lambda: Command.objects.get(pk=silent.pk).late_answer, late)
    row = Command.objects.get(pk=silent.pk)
    assert (row.status, row.succeeded, row.response) == ("timed_out", False, None)


# --- What follows


def effect_of(command: Command) -> tuple[str, str]:
    row = Command.objects.get(pk=command.pk)
    return row.expected_effect, row.effect_note


@pytest.mark.parametrize(("kind", "reason"), [("Hard", "HardReset"), ("Soft", "SoftReset")])
def test_reset_is_complete_when_the_station_is_back(
    plug: Plug, station: Station, tag: IdTag, kind: str, reason: str
) -> None:
    """Cases 38 and 39: accepted, the connection drops, it boots; its transaction is closed with the reason."""
    charger = plug(station)
    charger.boot()
    transaction_id = charger.result("StartTransaction", start(tag.id_tag))["transactionId"]
    command = request(station, "Reset", {"type": kind})
    answer(charger, command, {"status": "Accepted"})
    assert ended(command).succeeded
    assert effect_of(command) == ("waiting", "")
    charger.close()
    back = plug(station)
    back.boot()
    until(lambda: effect_of(command)[0], "done")
    back.result("StopTransaction", stop(transaction_id, reason=reason))
    assert station.transactions.get().stop_reason == reason


def test_station_that_is_back_without_a_boot_has_been_reset_too(plug: Plug, station: Station) -> None:
    charger = plug(station)
    command = request(station, "Reset", {"type": "Hard"})
    answer(charger, command, {"status": "Accepted"})
    assert ended(command).succeeded
    charger.close()
    plug(station)
    until(lambda: effect_of(command)[0], "done")


@pytest.mark.parametrize(
    ("action", "notification", "words", "end"),
    [
        (
            "UpdateFirmware",
            "FirmwareStatusNotification",
            ["Downloading", "Downloaded", "Installing", "Installed"],
            "done",
        ),
        ("UpdateFirmware", "FirmwareStatusNotification", ["Downloading", "DownloadFailed"], "failed"),
        ("UpdateFirmware", "FirmwareStatusNotification", ["Installing", "InstallationFailed"], "failed"),
        ("GetDiagnostics", "DiagnosticsStatusNotification", ["Uploading", "Uploaded"], "done"),
        ("GetDiagnostics", "DiagnosticsStatusNotification", ["Uploading", "UploadFailed"], "failed"),
        ("GetLog", "LogStatusNotification", ["Uploading", "Uploaded"], "done"),
        ("GetLog", "LogStatusNotification", ["PermissionDenied"], "failed"),
        ("SignedUpdateFirmware", "SignedFirmwareStatusNotification", ["SignatureVerified", "Installed"], "done"),
        ("SignedUpdateFirmware", "SignedFirmwareStatusNotification", ["InvalidSignature"], "failed"),
    ],
)
def test_progress_stands_on_the_command(
    charger: Charger, station: Station, action: str, notification: str, words: list[str], end: str
) -> None:
    """Cases 54, 55 and 63: what the station notifies is noted on the command that it tells about."""
    payload = PAYLOADS[action]
    command = request(station, action, payload)
    succeeding = {"status": "Accepted"} if words_of(action)[0] else {}
    answer(charger, command, succeeding)
    assert ended(command).expected_effect == "waiting"
    request_id = {"requestId": payload["requestId"]} if "requestId" in payload else {}
    for word in words:
        assert charger.result(notification, {"status": word, **request_id}) == {}
    row = Command.objects.get(pk=command.pk)
    assert [word for _, word in row.progress] == words
    assert (row.expected_effect, row.effect_note) == (end, words[-1])


@pytest.mark.parametrize("connector_id", [0, 1])
def test_availability_is_done_when_the_status_shows_it(charger: Charger, station: Station, connector_id: int) -> None:
    """Case 43."""
    for number in (1, 2):
        charger.result("StatusNotification", status(number, "Available"))
    command = request(station, "ChangeAvailability", {"connectorId": connector_id, "type": "Inoperative"})
    answer(charger, command, {"status": "Accepted"})
    ended(command)
    assert effect_of(command)[0] == "waiting"
    charger.result("StatusNotification", status(1, "Unavailable"))
    assert effect_of(command)[0] == ("done" if connector_id else "waiting")
    if not connector_id:
        charger.result("StatusNotification", status(2, "Unavailable"))
        assert effect_of(command) == ("done", "shown as Unavailable")
    again = request(station, "ChangeAvailability", {"connectorId": connector_id, "type": "Operative"})
    answer(charger, again, {"status": "Accepted"})
    ended(again)
    for number in (1, 2):
        charger.result("StatusNotification", status(number, "Available"))
    assert effect_of(again) == ("done", "shown as Available")


def test_scheduled_availability_stays_pending_until_the_status_shows_it(
    charger: Charger, station: Station, tag: IdTag
) -> None:
    charger.result("StatusNotification", status(1, "Charging"))
    transaction_id = charger.result("StartTransaction", start(tag.id_tag))["transactionId"]
    command = request(station, "ChangeAvailability", {"connectorId": 1, "type": "Inoperative"})
    answer(charger, command, {"status": "Scheduled"})
    row = ended(command)
    assert (row.succeeded, row.expected_effect) == (True, "waiting")
    connector = Connector.objects.get(station=station, connector_id=1)
    assert (connector.wanted_availability, connector.availability_command_id) == ("Inoperative", command.pk)
    charger.result("StopTransaction", stop(transaction_id))
    charger.result("StatusNotification", status(1, "Unavailable"))
    assert effect_of(command) == ("done", "shown as Unavailable")
    connector.refresh_from_db()
    assert connector.availability_command_id is None


def test_availability_that_is_already_so_is_done_at_once(charger: Charger, station: Station) -> None:
    charger.result("StatusNotification", status(1, "Unavailable"))
    command = request(station, "ChangeAvailability", {"connectorId": 1, "type": "Inoperative"})
    answer(charger, command, {"status": "Accepted"})
    until(lambda: effect_of(command), ("done", "shown as Unavailable"))


@pytest.mark.parametrize("word", ["Unlocked", "UnlockFailed", "NotSupported"])
def test_unlock_shows_its_word_and_the_transaction_ends_as_reported(
    charger: Charger, station: Station, tag: IdTag, word: str
) -> None:
    """Case 40."""
    transaction_id = charger.result("StartTransaction", start(tag.id_tag))["transactionId"]
    command = request(station, "UnlockConnector", {"connectorId": 1})
    answer(charger, command, {"status": word})
    row = ended(command)
    assert (row.result_status, row.succeeded) == (word, word == "Unlocked")
    if word == "Unlocked":
        charger.result("StopTransaction", stop(transaction_id, reason="UnlockCommand"))
        assert station.transactions.get().stop_reason == "UnlockCommand"
    with pytest.raises(CommandRefused):
        request(station, "UnlockConnector", {"connectorId": 0})


@pytest.mark.parametrize(
    "message", SCHEMAS["TriggerMessage"]["properties"]["requestedMessage"]["enum"]
)  # fmt: skip
def test_every_message_can_be_triggered(charger: Charger, station: Station, message: str) -> None:
    """Case 45."""
    payload = {"requestedMessage": message, "connectorId": 1}
    command = request(station, "TriggerMessage", payload)
    answer(charger, command, {"status": "NotImplemented"})
    assert ended(command).result_status == "NotImplemented"


def test_station_that_booted_and_is_accepted_is_not_asked_to_boot(charger: Charger, station: Station) -> None:
    """1.6 errata 3.40."""
    charger.boot()
    with pytest.raises(CommandRefused):
        request(station, "TriggerMessage", {"requestedMessage": "BootNotification"})
