"""Commands, batches and configuration in the API."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone
from django_redis import get_redis_connection

from stations.models import Command, CommandBatch, ConfigurationKey, Station
from stations.selectors import presence_key
from stations.services.batches import advance_batches
from tests.support.api import Program, errors, queries_grow
from tests.support.factories import make_station

pytestmark = pytest.mark.django_db
SOFT = {"action": "Reset", "payload": {"type": "Soft"}}


@pytest.fixture
def program() -> Program:
    return Program(name="billing")


def online(identity: str = "A", **fields: object) -> Station:
    station = make_station(identity, connected_at=timezone.now(), **fields)
    get_redis_connection("default").set(presence_key(station.pk), station.connection_epoch)
    return station


def test_command_that_waits_is_answered_202_with_its_address(program):
    online()
    response = program.send("post", "stations/A/commands/", SOFT | {"reason": "stuck"})
    assert response.status_code == 202
    shown = response.json()
    command = Command.objects.get()
    assert response["Location"] == f"/api/v1/commands/{command.pk}/"
    assert {name: shown[name] for name in ("id", "station", "action", "payload", "status", "via", "reason")} == {
        "id": str(command.pk), "station": "A", "action": "Reset", "payload": {"type": "Soft"}, "status": "queued",
        "via": "api", "reason": "stuck",
    }  # fmt: skip
    assert [shown[name] for name in ("result_status", "response", "error", "sent_at", "answered_at")] == [
        "", None, None, None, None,
    ]  # fmt: skip
    assert shown["requested_by"] == "api:billing"
    assert program.get(f"commands/{command.pk}/") == shown


def test_command_to_an_offline_station_is_answered_201_at_once(program):
    make_station("A")
    shown = program.post("stations/A/commands/", SOFT, status=201)
    assert (shown["status"], shown["succeeded"]) == ("not_connected", False)
    assert shown["error"] == {"code": "", "description": "the station is not connected"}
    waiting = program.post("stations/A/commands/", SOFT | {"waits_s": 60}, status=202)
    assert waiting["status"] == "queued"


def test_wait_ends_with_the_time(program):
    online()
    began = timezone.now()
    assert program.post("stations/A/commands/?wait=0.3", SOFT, status=202)["status"] == "queued"
    assert timezone.now() - began >= timedelta(seconds=0.3)


@pytest.mark.parametrize("wait", ["-1", "61", "x", "NaN", "inf", "1e5", "١"])
def test_wait_that_means_nothing_is_refused(program, wait):
    online()
    problem = program.post(f"stations/A/commands/?wait={wait}", SOFT, status=400)
    assert errors(problem) == {"wait": "Seconds, 0 to 60."}
    assert Command.objects.count() == 0


def test_empty_wait_is_refused(program):
    online()
    problem = program.post("stations/A/commands/?wait=", SOFT, status=400)
    assert errors(problem) == {"wait": "Given without a value."}
    assert Command.objects.count() == 0


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"action": "Reset", "payload": {"type": "Warm"}}, "#/payload/type"),
        ({"action": "Reset"}, "#/payload"),
        ({"action": "Nope"}, "#/action"),
        ({"action": "Reset", "payload": []}, "#/payload"),
        ({"payload": {}}, "#/action"),
        ({"action": "Reset", "payload": {"type": "Soft"}, "extra": 1}, "#/extra"),
        ({"action": "DataTransfer", "payload": {"vendorId": "a\x00"}}, "#/payload"),
        ({"action": "DataTransfer", "payload": {"vendorId": "a", "data": 2**70}}, "#/payload/data"),
    ],
)
def test_invalid_command_is_refused_where_it_is_wrong(program, body, where):
    online()
    assert list(errors(program.post("stations/A/commands/", body, status=400))) == [where]
    assert Command.objects.count() == 0


def test_rules_refuse_with_a_conflict(program):
    online(registration_status="Rejected")
    problem = program.post("stations/A/commands/", SOFT, status=409)
    assert problem["type"] == "urn:evcharging:problem:command-refused"
    assert problem["detail"] == "A is rejected: nothing is sent to it (OCPP 1.6 §4.2)."
    assert program.post("stations/B/commands/", SOFT, status=404)["status"] == 404


def test_invalid_payload_can_be_insisted_on(program):
    online()
    body = {"action": "AcmeSelfTest", "payload": {"x": 1}, "allows_invalid": True}
    assert program.post("stations/A/commands/", body, status=202)["allows_invalid"] is True


def test_idempotency_key_sends_once(program):
    online()
    first = program.post("stations/A/commands/", SOFT, status=202, key="k1")
    again = program.post("stations/A/commands/", SOFT, status=202, key="k1")
    assert first == again
    assert Command.objects.count() == 1


def test_command_of_an_id_is_requested_once():
    """What a process that was cut off between its command and its answer did is found again."""
    from tests.support.commanding import request_frame

    station, pk = online(), uuid4()
    facts = {"requested_by": "x", "via": "api", "now": timezone.now(), "command_id": pk}
    for _ in range(2):
        command = request_frame(station_id=station.pk, action="Reset", payload={"type": "Soft"}, **facts)
        assert command.pk == pk
    assert Command.objects.count() == 1


def test_commands_are_listed_and_filtered(program):
    for identity in ("A", "B"):
        online(identity)
        program.post(f"stations/{identity}/commands/", SOFT, status=202)
    make_station("C")
    program.post("stations/C/commands/", {"action": "ClearCache"}, status=201)
    listed = program.get("commands/")["results"]
    assert [row["station"] for row in listed] == ["C", "B", "A"]
    assert [row["station"] for row in program.get("commands/", station="b")["results"]] == ["B"]
    assert [row["station"] for row in program.get("commands/?status=queued")["results"]] == ["B", "A"]
    assert [row["station"] for row in program.get("commands/", succeeded="false")["results"]] == ["C"]
    assert [row["action"] for row in program.get("stations/C/commands/")["results"]] == ["ClearCache"]
    assert program.ids("commands/", "station", page_size=1, ordering="number") == ["A", "B", "C"]


def test_lists_run_as_many_queries_for_20_rows_as_for_1(program):
    now = timezone.now()

    def make(number: int) -> None:
        Command.objects.create(
            station=make_station(f"S{number}"), action="Reset", requested_by="x", via="api", created_at=now,
            expires_at=now,
        )  # fmt: skip

    assert queries_grow(program, "commands/", make) == 0


def test_cancel(program):
    online()
    command = program.post("stations/A/commands/", SOFT, status=202)
    assert program.post(f"commands/{command['id']}/cancel/")["status"] == "cancelled"
    assert program.post(f"commands/{command['id']}/cancel/", status=409)["type"].endswith(":not-waiting")
    assert program.get(f"commands/{uuid4()}/", status=404)["status"] == 404


def test_reading_does_not_allow_commanding():
    online()
    reader = Program("read")
    assert reader.post("stations/A/commands/", SOFT, status=403)["status"] == 403
    assert reader.post("command-batches/", SOFT | {"filter": ["online"]}, status=403)["status"] == 403
    assert Program("operate").post("stations/A/commands/", SOFT, status=202)["action"] == "Reset"


# --- Batches


def test_batch_over_a_filter_runs_and_shows_its_progress(program):
    for number in range(3):
        online(f"ABB-{number}", vendor="ABB")
    online("X", vendor="Alfen")
    rejected = online("ABB-9", vendor="abb", registration_status="Rejected")
    body = SOFT | {"filter": ["vendor=ABB", "online"], "stations_per_second": 100}
    batch = program.post("command-batches/", body, status=201)
    assert (batch["selection"], batch["progress"]["total"], batch["progress"]["waiting"]) == (
        "vendor=ABB online",
        4,
        4,
    )
    advance_batches(now=timezone.now() + timedelta(seconds=1))
    progress = program.get(f"command-batches/{batch['id']}/")["progress"]
    assert progress == {"total": 4, "waiting": 0, "pending": 3, "succeeded": 0, "failed": 0, "refused": 1}
    items = program.get(f"command-batches/{batch['id']}/stations/")["results"]
    assert {item["station"]: bool(item["refusal"]) for item in items} == {
        "ABB-0": False, "ABB-1": False, "ABB-2": False, rejected.identity: True,
    }  # fmt: skip
    stopped = program.post(f"command-batches/{batch['id']}/stop/")
    assert (stopped["progress"]["pending"], stopped["progress"]["failed"]) == (0, 3)
    assert program.post(f"command-batches/{batch['id']}/stop/", status=409)["type"].endswith(":not-running")
    assert program.post(f"command-batches/{batch['id']}/resume/", status=409)["type"].endswith(":not-running")
    assert program.post(f"command-batches/{batch['id']}/retry/")["progress"]["waiting"] == 4


def test_batch_keeps_its_pace(program):
    for number in range(30):
        online(f"S{number:02d}")
    batch = program.post(
        "command-batches/", {"action": "ClearCache", "filter": ["identity=S*"], "stations_per_second": 10}, status=201
    )
    begun = CommandBatch.objects.get().created_at
    commanded = []
    for tenths in (1, 5, 10, 15, 30, 31):
        advance_batches(now=begun + timedelta(seconds=tenths / 10))
        commanded.append(Command.objects.count())
    assert commanded == [1, 5, 10, 15, 30, 30]
    assert program.get(f"command-batches/{batch['id']}/")["progress"]["waiting"] == 0


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, "#"),
        ({"stations": ["A"], "filter": ["online"]}, "#"),
        ({"stations": ["A", "NOBODY"]}, "#/stations"),
        ({"filter": ["color=red"]}, "#/filter"),
        ({"filter": "online"}, "#/filter"),
        ({"stations": ["A"], "payload": {"type": "Warm"}}, "#/payload/type"),
    ],
)
def test_batch_that_means_nothing_is_refused(program, body, where):
    online()
    problem = program.post("command-batches/", SOFT | body, status=400)
    assert list(errors(problem)) == [where]
    assert CommandBatch.objects.count() == 0


def test_batch_of_nobody_or_of_what_is_for_one_is_refused(program):
    online()
    assert program.post("command-batches/", SOFT | {"filter": ["vendor=Nobody"]}, status=409)["status"] == 409
    remote = {"action": "RemoteStartTransaction", "payload": {"idTag": "T"}, "stations": ["A"]}
    assert program.post("command-batches/", remote, status=409)["status"] == 409


def test_configuration_is_listed(program):
    station = make_station("A")
    now = timezone.now()
    ConfigurationKey.objects.create(station=station, key="B", value="1", readonly=True, read_at=now)
    ConfigurationKey.objects.create(station=station, key="A", is_unknown=True, read_at=now)
    rows = program.get("stations/A/configuration/")["results"]
    assert [(row["key"], row["value"], row["readonly"], row["is_unknown"]) for row in rows] == [
        ("A", None, None, True), ("B", "1", True, False),
    ]  # fmt: skip
    assert program.get("stations/NOBODY/configuration/", status=404)["status"] == 404
