"""How commands reach a charger: one at a time, durable, with every way an answer can come or not come."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stations.models import Command, Deviation, Station
from stations.services.commands import (
    CommandNotWaiting,
    CommandRefused,
    InvalidPayload,
    cancel_command,
)
from tests.support.charger import Charger
from tests.support.commanding import request_frame
from tests.support.factories import make_station
from tests.support.payloads import status
from tests.support.waiting import until

Plug = Callable[..., Charger]


def request(station: Station, action: str = "Reset", payload: Any = None, **options: Any) -> Command:
    payload = {"type": "Soft"} if action == "Reset" and payload is None else payload or {}
    return request_frame(
        station_id=station.pk,
        action=action,
        payload=payload,
        requested_by="anna",
        via="shell",
        now=datetime.now(UTC),
        **options,
    )


def ended(command: Command) -> Command:
    """Wait until the command has ended and return it."""
    until(lambda: Command.objects.get(pk=command.pk).has_ended, True, 10)
    return Command.objects.get(pk=command.pk)


def test_command_is_sent_under_its_own_id_and_its_answer_kept(charger: Charger, station: Station) -> None:
    command = request(station, "ClearCache")
    frame = charger.receive()
    assert frame == [2, str(command.pk), "ClearCache", {}]
    charger.send(json.dumps([3, frame[1], {"status": "Rejected"}]))
    row = ended(command)
    assert (row.status, row.result_status, row.succeeded, row.response) == (
        "answered", "Rejected", False, {"status": "Rejected"},
    )  # fmt: skip
    assert row.sent_at is not None
    assert row.answered_at is not None
    assert row.created_at <= row.sent_at <= row.answered_at


def test_one_call_is_outstanding_and_the_station_is_served_meanwhile(charger: Charger, station: Station) -> None:
    """OCPP-J 1.6 §4.1.1, errata 3.4: the rule is per direction."""
    commands = [request(station, "ClearCache") for _ in range(3)]
    assert charger.receive()[1] == str(commands[0].pk)
    assert charger.result("StatusNotification", status(1, "Preparing")) == {}
    assert charger.call("Heartbeat", {})[0] == 3
    assert Command.objects.filter(station=station, status="sent").count() == 1
    for number, command in enumerate(commands):
        charger.send(json.dumps([3, str(command.pk), {"status": "Accepted"}]))
        if number < 2:
            assert charger.receive()[1] == str(commands[number + 1].pk)
    assert [ended(command).succeeded for command in commands] == [True] * 3


def test_no_answer_frees_the_slot_and_a_late_one_changes_nothing(charger: Charger, station: Station) -> None:
    first, second = request(station, "ClearCache", timeout_s=1), request(station, "ClearCache")
    charger.receive()
    began = time.monotonic()
    assert charger.receive()[1] == str(second.pk)
    assert 0.8 <= time.monotonic() - began <= 4
    charger.send(json.dumps([3, str(first.pk), {"status": "Accepted"}]))
    charger.send(json.dumps([3, str(second.pk), {"status": "Accepted"}]))
    assert ended(second).succeeded
    until(lambda: Command.objects.get(pk=first.pk).late_answer, {"status": "Accepted"})
    row = Command.objects.get(pk=first.pk)
    assert (row.status, row.succeeded, row.result_status, row.response) == ("timed_out", False, "", None)
    assert row.late_answered_at is not None


def test_callerror_ends_the_command_with_its_code(charger: Charger, station: Station) -> None:
    command = request(station, "ClearCache")
    charger.receive()
    charger.send(json.dumps([4, str(command.pk), "NotSupported", "no cache here", {"why": 1}]))
    row = ended(command)
    assert (row.status, row.succeeded) == ("call_error", False)
    assert row.error == {"code": "NotSupported", "description": "no cache here", "details": {"why": 1}}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('[3,"ID",{}]', ("answered", "", "FormationViolation")),
        ('[3,"ID",{"status":"Perhaps"}]', ("answered", "Perhaps", "FormationViolation")),
        ('[3,"ID",{"status":null}]', ("answered", "", "FormationViolation")),
        ('[3,"ID",[]]', ("answered", "", "FormationViolation")),
        ('[3,"ID"]', ("answered", "", "FormationViolation")),
        ('[3,"ID",null]', ("answered", "", "FormationViolation")),
        ('[3,"ID",{"status":"Accepted"', ("call_error", "", "FormationViolation")),
        ('[3,"ID",{"status":"accepted"}]', ("answered", "Accepted", None)),
        ('[3,"ID",{"status":"Accepted","extra":1}]', ("answered", "Accepted", None)),
        ('[3,"ID",{"status":"Accepted"},{}]', ("answered", "Accepted", None)),
    ],
)
def test_malformed_answer_is_kept_raw_and_the_socket_stays(
    charger: Charger, station: Station, answer: str, expected: tuple[str, str, str | None]
) -> None:
    command = request(station, "ClearCache")
    charger.receive()
    charger.send(answer.replace("ID", str(command.pk)))
    row = ended(command)
    code = None if row.error is None else row.error["code"]
    assert (row.status, row.result_status, code) == expected
    assert row.succeeded is (expected[2] is None)
    assert charger.call("Heartbeat", {})[0] == 3
    until(lambda: Deviation.objects.filter(station=station).exists(), True)


def test_answer_to_another_stations_command_changes_nothing(plug: Plug, charger: Charger, station: Station) -> None:
    command = request(station, "ClearCache", timeout_s=1)
    charger.receive()
    other = plug(make_station())
    other.send(json.dumps([3, str(command.pk), {"status": "Accepted"}]))
    assert other.call("Heartbeat", {})[0] == 3
    row = ended(command)
    assert (row.status, row.late_answer) == ("timed_out", None)


def test_command_to_an_offline_station_fails_at_once(station: Station) -> None:
    command = request(station)
    assert (command.status, command.succeeded) == ("not_connected", False)
    assert Command.objects.get(pk=command.pk).error == {"code": "", "description": "the station is not connected"}


def test_command_that_waits_is_sent_on_connect(plug: Plug, station: Station) -> None:
    command = request(station, "ClearCache", waits_s=30)
    assert command.status == "queued"
    charger = plug(station)
    assert charger.receive()[1] == str(command.pk)
    charger.send(json.dumps([3, str(command.pk), {"status": "Accepted"}]))
    assert ended(command).succeeded


def test_command_that_waits_in_vain_expires(station: Station) -> None:
    command = request(station, "ClearCache", waits_s=0.5)
    row = ended(command)
    assert (row.status, row.sent_at) == ("expired", None)


def test_drop_ends_the_outstanding_and_what_does_not_wait(charger: Charger, station: Station) -> None:
    outstanding, queued = request(station, "ClearCache"), request(station, "ClearCache")
    waiting = request(station, "ClearCache", waits_s=30)
    charger.receive()
    charger.close()
    assert ended(outstanding).status == "timed_out"
    assert ended(outstanding).error == {"code": "", "description": "the connection was lost before the answer"}
    assert ended(queued).status == "not_connected"
    assert Command.objects.get(pk=waiting.pk).status == "queued"


def test_takeover_ends_the_outstanding_and_sends_the_next_to_the_new_connection(plug: Plug, station: Station) -> None:
    old = plug(station)
    first = request(station, "ClearCache")
    old.receive()
    second = request(station, "ClearCache", waits_s=30)
    new = plug(station)
    assert new.receive()[1] == str(second.pk)
    new.send(json.dumps([3, str(second.pk), {"status": "Accepted"}]))
    assert ended(second).succeeded
    assert ended(first).status == "timed_out"


def test_repeatable_command_is_sent_again_where_the_caller_asked(plug: Plug, station: Station) -> None:
    old = plug(station)
    command = request(station, "ClearCache", waits_s=30, resends=True)
    assert old.receive()[1] == str(command.pk)
    old.close()
    new = plug(station)
    assert new.receive()[1] == str(command.pk)
    new.send(json.dumps([3, str(command.pk), {"status": "Accepted"}]))
    row = ended(command)
    assert (row.succeeded, row.attempts) == (True, 2)
    with pytest.raises(CommandRefused):
        request(station, "Reset", resends=True)


def test_queued_command_can_be_cancelled_and_a_sent_one_cannot(charger: Charger, station: Station) -> None:
    sent, queued = request(station, "ClearCache"), request(station, "ClearCache")
    charger.receive()
    cancel_command(command_id=queued.pk, cancelled_by="anna", now=datetime.now(UTC))
    with pytest.raises(CommandNotWaiting):
        cancel_command(command_id=sent.pk, cancelled_by="anna", now=datetime.now(UTC))
    charger.send(json.dumps([3, str(sent.pk), {"status": "Accepted"}]))
    assert ended(sent).succeeded
    row = Command.objects.get(pk=queued.pk)
    assert (row.status, row.sent_at) == ("cancelled", None)


@pytest.mark.parametrize(
    ("registration", "action", "payload", "is_allowed"),
    [
        ("Pending", "GetConfiguration", {}, True),
        ("Pending", "ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"}, True),
        ("Pending", "TriggerMessage", {"requestedMessage": "BootNotification"}, True),
        ("Pending", "RemoteStartTransaction", {"idTag": "TAG"}, False),
        ("Pending", "RemoteStopTransaction", {"transactionId": 1}, False),
        ("Pending", "Reset", {"type": "Soft"}, False),
        ("Rejected", "GetConfiguration", {}, False),
        ("Rejected", "TriggerMessage", {"requestedMessage": "BootNotification"}, False),
    ],
)
def test_registration_decides_what_may_be_sent(
    plug: Plug, orm: None, registration: str, action: str, payload: Any, is_allowed: bool
) -> None:
    """OCPP 1.6 §4.2; what is refused leaves no row."""
    station = make_station(registration_status=registration)
    charger = plug(station)
    if is_allowed:
        command = request(station, action, payload)
        assert charger.receive() == [2, str(command.pk), action, payload]
    else:
        with pytest.raises(CommandRefused):
            request(station, action, payload)
        assert Command.objects.filter(station=station).count() == 0


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("Reset", {"type": "Warm"}),
        ("Reset", {}),
        ("ChangeConfiguration", {"key": "k" * 51, "value": "1"}),
        ("NoSuchAction", {}),
        ("Heartbeat", {}),
        ("DataTransfer", {"vendorId": "x\x00"}),
        ("DataTransfer", {"vendorId": "x", "data": 2**70}),
        ("DataTransfer", {"vendorId": "\ud800"}),
    ],
)
def test_payload_against_the_schema_is_refused(station: Station, action: str, payload: Any) -> None:
    with pytest.raises(InvalidPayload):
        request(station, action, payload)
    assert Command.objects.filter(station=station).count() == 0


def test_staff_may_insist_on_what_the_schema_forbids(charger: Charger, station: Station) -> None:
    command = request(station, "Reset", {"type": "Warm"}, allows_invalid=True)
    assert charger.receive() == [2, str(command.pk), "Reset", {"type": "Warm"}]
    vendor = request(station, "AcmeSelfTest", {"deep": True}, allows_invalid=True)
    charger.send(json.dumps([3, str(command.pk), {"status": "Accepted"}]))
    assert charger.receive() == [2, str(vendor.pk), "AcmeSelfTest", {"deep": True}]
    charger.send(json.dumps([3, str(vendor.pk), {"anything": 1}]))
    row = ended(vendor)
    assert (row.succeeded, row.response, row.allows_invalid) == (True, {"anything": 1}, True)


def test_command_left_sent_by_a_dead_process_is_ended(station: Station) -> None:
    """Nobody holds the socket any more and the station does not come back: another process ends it after its time."""
    now = datetime.now(UTC)
    command = Command.objects.create(
        station=station,
        action="Reset",
        payload={"type": "Hard"},
        requested_by="anna",
        via="shell",
        status="sent",
        created_at=now - timedelta(minutes=2),
        sent_at=now - timedelta(minutes=2),
        sent_epoch=1,
        answer_due_at=now - timedelta(minutes=1),
        expires_at=now,
    )
    row = ended(command)
    assert row.status == "timed_out"
    assert row.error == {"code": "", "description": "the process that sent it ended before the answer"}
