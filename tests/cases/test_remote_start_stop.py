"""Remote starts and stops (cases 32-37): what may be asked, the frame, and the transaction it leads to."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from id_tags.models import IdTag
from stations.models import Command, Station
from stations.services.commands import CommandRefused
from stations.services.expected_effects import give_up_effects
from stations.types import Origin
from tests.support.charger import Charger
from tests.support.commanding import draft_of, request_frame, request_remote_stop
from tests.support.factories import make_id_tag, make_station
from tests.support.payloads import ago, start, status, stop
from tests.support.waiting import until
from transactions.models import ChargingProfile, Transaction
from transactions.services.remote import request_remote_start

Plug = Callable[..., Charger]
PROFILE = {
    "chargingProfileId": 3,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": {
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 21.4}],
    },
}


def remote_start(
    station: Station, tag: str, connector_id: int | None = 1, waits_s: float = 0, **options: Any
) -> Command:
    return request_remote_start(
        station_id=station.pk,
        id_tag=tag,
        connector_id=connector_id,
        **options,
        origin=Origin("anna", "shell", datetime.now(UTC), waits_s=waits_s),
    )


def accept(charger: Charger, command: Command, word: str = "Accepted") -> Command:
    frame = charger.receive()
    assert frame == [2, str(command.pk), command.action, command.payload]
    charger.send(json.dumps([3, frame[1], {"status": word}]))
    until(lambda: Command.objects.get(pk=command.pk).has_ended, True)
    return Command.objects.get(pk=command.pk)


def effect_of(command: Command) -> tuple[str, str]:
    row = Command.objects.get(pk=command.pk)
    return row.expected_effect, row.effect_note


@pytest.mark.parametrize("connector_id", [1, None])
def test_remote_start_is_linked_to_the_transaction_it_leads_to(
    charger: Charger, station: Station, tag: IdTag, connector_id: int | None
) -> None:
    charger.result("StatusNotification", status(1, "Preparing"))
    command = remote_start(station, tag.id_tag, connector_id)
    assert accept(charger, command).expected_effect == "waiting"
    assert charger.result("Authorize", {"idTag": tag.id_tag})["idTagInfo"]["status"] == "Accepted"
    payload = start(tag.id_tag)
    transaction_id = charger.result("StartTransaction", payload)["transactionId"]
    assert effect_of(command) == ("done", f"transaction {transaction_id}")
    assert Transaction.objects.get(transaction_id=transaction_id).started_by_command_id == command.pk
    assert charger.result("StartTransaction", payload)["transactionId"] == transaction_id
    assert Transaction.objects.filter(started_by_command=command).count() == 1


def test_start_that_is_quicker_than_the_answer_is_linked_too(charger: Charger, station: Station, tag: IdTag) -> None:
    command = remote_start(station, tag.id_tag)
    frame = charger.receive()
    transaction_id = charger.result("StartTransaction", start(tag.id_tag))["transactionId"]
    charger.send(json.dumps([3, frame[1], {"status": "Accepted"}]))
    until(lambda: effect_of(command), ("done", f"transaction {transaction_id}"))
    assert Transaction.objects.get(transaction_id=transaction_id).started_by_command_id == command.pk


def test_start_of_another_tag_or_connector_is_not_what_was_asked_for(
    charger: Charger, station: Station, tag: IdTag
) -> None:
    other = make_id_tag()
    command = remote_start(station, tag.id_tag, 1)
    accept(charger, command)
    charger.result("StartTransaction", start(other.id_tag, connector_id=2))
    charger.result("StartTransaction", start(tag.id_tag, connector_id=3))
    assert effect_of(command) == ("waiting", "")
    assert Transaction.objects.filter(station=station, started_by_command__isnull=False).count() == 0


def test_remote_start_that_nothing_follows_says_so(charger: Charger, station: Station, tag: IdTag) -> None:
    command = remote_start(station, tag.id_tag)
    accept(charger, command)
    give_up_effects(now=datetime.now(UTC) + timedelta(seconds=301))
    assert effect_of(command) == ("failed", "no transaction followed")


def test_remote_start_that_is_rejected_awaits_nothing(charger: Charger, station: Station, tag: IdTag) -> None:
    row = accept(charger, remote_start(station, tag.id_tag), "Rejected")
    assert (row.succeeded, row.result_status, row.expected_effect) == (False, "Rejected", "")


def test_remote_start_with_an_error_or_too_late_an_answer_awaits_nothing(
    charger: Charger, station: Station, tag: IdTag
) -> None:
    refused = remote_start(station, tag.id_tag)
    charger.receive()
    charger.send(json.dumps([4, str(refused.pk), "NotSupported", "", {}]))
    until(lambda: Command.objects.get(pk=refused.pk).status, "call_error")
    Station.objects.filter(pk=station.pk).update(call_timeout_s=0.3)
    late = remote_start(station, tag.id_tag)
    charger.receive()
    until(lambda: Command.objects.get(pk=late.pk).status, "timed_out")
    charger.send(json.dumps([3, str(late.pk), {"status": "Accepted"}]))
    until(lambda: Command.objects.get(pk=late.pk).late_answer, {"status": "Accepted"})
    charger.result("StartTransaction", start(tag.id_tag))
    assert [effect_of(refused), effect_of(late)] == [("", ""), ("", "")]
    assert Transaction.objects.get(station=station).started_by_command is None


def test_answer_and_start_in_one_go_are_joined(charger: Charger, station: Station) -> None:
    """The answer is being recorded while the start comes in: neither may miss the other."""
    for number in range(1, 16):
        tag = make_id_tag()
        command = remote_start(station, tag.id_tag, number)
        frame = charger.receive()
        charger.send(json.dumps([3, frame[1], {"status": "Accepted"}]))
        transaction_id = charger.result("StartTransaction", start(tag.id_tag, connector_id=number))["transactionId"]
        until(lambda: effect_of(command), ("done", f"transaction {transaction_id}"))  # noqa: B023 - used at once


@pytest.mark.parametrize("word", ["Blocked", "Expired", "Invalid", "unknown"])
def test_remote_start_needs_a_tag_that_may_charge(station: Station, word: str) -> None:
    tag = "NOBODY" if word == "unknown" else make_id_tag(status=word).id_tag
    with pytest.raises(CommandRefused):
        remote_start(station, tag, waits_s=10)
    expired = make_id_tag(expires_at=ago(hours=1))
    with pytest.raises(CommandRefused):
        remote_start(station, expired.id_tag, waits_s=10)
    assert Command.objects.filter(station=station).count() == 0


def test_remote_start_on_a_taken_connector_is_refused(charger: Charger, station: Station, tag: IdTag) -> None:
    charger.result("StartTransaction", start(tag.id_tag))
    with pytest.raises(CommandRefused):
        remote_start(station, make_id_tag().id_tag, 1)


def test_remote_start_with_a_profile_sends_it_exactly(charger: Charger, station: Station, tag: IdTag) -> None:
    """Case 56: without a transactionId, and 21.4 is 21.4."""
    command = remote_start(station, tag.id_tag, 1, profile=draft_of(PROFILE))
    text = str(charger.socket.recv(timeout=20))
    assert '"limit":21.4' in text
    assert json.loads(text)[3] == {"idTag": tag.id_tag, "connectorId": 1, "chargingProfile": PROFILE}
    assert command.payload["chargingProfile"] == PROFILE
    charger.send(json.dumps([3, str(command.pk), {"status": "Accepted"}]))
    transaction_id = charger.result("StartTransaction", start(tag.id_tag))["transactionId"]
    until(lambda: effect_of(command), ("done", f"transaction {transaction_id}"))
    profile = ChargingProfile.objects.get(transaction__transaction_id=transaction_id)
    assert (profile.status, profile.charging_profile_id) == ("active", 3)
    charger.result("StopTransaction", stop(transaction_id, reason="Remote"))
    until(lambda: ChargingProfile.objects.get(pk=profile.pk).status, "ended")


@pytest.mark.parametrize(
    ("profile", "connector_id"),
    [
        (PROFILE | {"chargingProfilePurpose": "TxDefaultProfile"}, 1),
        (PROFILE | {"transactionId": 5}, 1),
        (PROFILE, None),
        (PROFILE | {"chargingProfileKind": "Absolute"}, 1),
    ],
)
def test_remote_start_with_a_profile_against_the_rules_is_refused(
    station: Station, tag: IdTag, profile: dict[str, Any], connector_id: int | None
) -> None:
    """OCPP 1.6 §5.11."""
    with pytest.raises(CommandRefused):
        remote_start(station, tag.id_tag, connector_id, profile=draft_of(profile), waits_s=10)


def test_remote_stop_is_done_when_the_transaction_is_stopped(charger: Charger, station: Station, tag: IdTag) -> None:
    """Case 36."""
    transaction_id = charger.result("StartTransaction", start(tag.id_tag))["transactionId"]
    row = Transaction.objects.get(transaction_id=transaction_id)
    command = request_remote_stop(pk=row.pk, origin=Origin("anna", "shell", datetime.now(UTC)))
    assert command.payload == {"transactionId": transaction_id}
    assert accept(charger, command).expected_effect == "waiting"
    charger.result("StopTransaction", stop(transaction_id, reason="Remote"))
    until(lambda: effect_of(command), ("done", f"transaction {transaction_id} has ended"))
    with pytest.raises(CommandRefused):
        request_remote_stop(pk=row.pk, origin=Origin("anna", "shell", datetime.now(UTC)))


def test_stop_that_is_quicker_than_the_answer_completes_it_too(charger: Charger, station: Station, tag: IdTag) -> None:
    transaction_id = charger.result("StartTransaction", start(tag.id_tag))["transactionId"]
    row = Transaction.objects.get(transaction_id=transaction_id)
    command = request_remote_stop(pk=row.pk, origin=Origin("anna", "shell", datetime.now(UTC)))
    frame = charger.receive()
    charger.result("StopTransaction", stop(transaction_id, reason="Remote"))
    charger.send(json.dumps([3, frame[1], {"status": "Accepted"}]))
    until(lambda: effect_of(command)[0], "done")


def test_remote_stop_that_is_rejected(charger: Charger, station: Station, tag: IdTag) -> None:
    """Case 37: the transaction stays as it is."""
    transaction_id = charger.result("StartTransaction", start(tag.id_tag))["transactionId"]
    row = Transaction.objects.get(transaction_id=transaction_id)
    command = request_remote_stop(pk=row.pk, origin=Origin("anna", "shell", datetime.now(UTC)))
    ended = accept(charger, command, "Rejected")
    assert (ended.succeeded, ended.expected_effect) == (False, "")
    row.refresh_from_db()
    assert row.is_open


def test_remote_stop_of_another_stations_transaction_is_refused(plug: Plug, station: Station, tag: IdTag) -> None:
    other = plug(make_station())
    transaction_id = other.result("StartTransaction", start(tag.id_tag))["transactionId"]
    with pytest.raises(CommandRefused):
        request_frame(
            station_id=station.pk,
            action="RemoteStopTransaction",
            payload={"transactionId": transaction_id},
            requested_by="anna",
            via="shell",
            now=datetime.now(UTC),
            waits_s=10,
        )
