"""Commands, batches, local lists and notices of the landed release, as they read after the migrations."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from stations.secrets import MASK, unseal

BEFORE = [("stations", "0003_rows_alone"), ("id_tags", "0002_local_lists")]
PROFILE = {
    "chargingProfileId": 5, "transactionId": 7, "stackLevel": 0, "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": {
        "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 21.4, "numberPhases": 3}],
    },
}  # fmt: skip
FRAMES: list[tuple[str, Any, str, Any]] = [
    ("Reset", {"type": "Hard"}, "reset", {"is_immediate": True}),
    ("ClearCache", {}, "clear_tag_cache", {}),
    ("GetConfiguration", {}, "read_configuration", {}),
    ("GetConfiguration", {"key": ["A"]}, "read_configuration", {"keys": ["A"]}),
    ("ChangeConfiguration", {"key": "AuthorizationKey", "value": "••••••••"}, "change_configuration",
     {"key": "AuthorizationKey", "value": "••••••••"}),
    ("RemoteStopTransaction", {"transactionId": 7}, "stop_charging", {"transaction_ref": "7"}),
    ("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": PROFILE}, "set_charging_profile", {
        "connector_id": 1,
        "profile": {
            "profile_id": 5, "transaction_ref": "7", "stack_level": 0, "purpose": "TxProfile", "kind": "Relative",
            "schedule": {"unit": "A", "periods": [{"starts_s": 0, "limit": 21.4, "phases": 3}]},
        },
    }),
    ("GetLog", {"logType": "SecurityLog", "requestId": 9, "log": {"remoteLocation": "ftp://x"}, "retries": 2},
     "upload_log", {"log": "security", "request_id": 9, "location": "ftp://x", "retries": 2}),
    ("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"}, "trigger_message",
     {"message": "sign_certificate", "is_extended": True}),
    ("SendLocalList",
     {"listVersion": 2, "updateType": "Differential", "localAuthorizationList": [
         {"idTag": "A", "idTagInfo": {"status": "Accepted", "expiryDate": "2030-01-01T00:00:00Z"}}, {"idTag": "B"},
     ]},
     "send_local_list",
     {"version": 2, "update": "Differential", "tags": [
         {"id_tag": "A", "authorization": {"status": "Accepted", "expires_at": "2030-01-01T00:00:00Z"}},
         {"id_tag": "B"},
     ]}),
    ("GetLog", {"logType": "SecurityLog", "requestId": 7.0, "log": {"remoteLocation": "ftp://x"}},
     "upload_log", {"log": "security", "request_id": 7, "location": "ftp://x"}),
    # What staff insisted on is kept as it is written.
    ("Reset", {"type": "Warm"}, "reset", None),
    ("Reset", {"type": "Soft", "more": 1}, "reset", None),
    ("AcmeSelfTest", {"x": 1}, "", None),
    ("SetChargingProfile", {"connectorId": "x"}, "set_charging_profile", None),
]  # fmt: skip


def migrate(targets: list[tuple[str, str]]) -> Any:
    executor = MigrationExecutor(connection)
    executor.loader.build_graph()
    executor.migrate(targets)
    return MigrationExecutor(connection).loader.project_state(targets).apps


@pytest.fixture
def forward(transactional_db: None) -> Iterator[tuple[Any, Callable[[], Any]]]:
    """The models of before, and what migrates to those of now."""
    newest = list(MigrationExecutor(connection).loader.graph.leaf_nodes())
    yield migrate(BEFORE), lambda: migrate(newest)
    migrate(newest)


def make_station(old: Any, identity: str = "A", **fields: Any) -> Any:
    return old.get_model("stations", "Station").objects.create(identity=identity, **fields)


def test_every_command_is_said_as_an_operation(forward):
    old, migrate_forward = forward
    now = timezone.now()
    station = make_station(old, connected_at=now)
    Command, Batch = old.get_model("stations", "Command"), old.get_model("stations", "CommandBatch")
    ids = []
    for action, payload, *said in FRAMES:
        fields = {
            "action": action, "payload": payload, "requested_by": "anna", "via": "api", "created_at": now,
            "allows_invalid": said[-1] is None,
        }  # fmt: skip
        row = Command.objects.create(
            station=station, status="answered", result_status="Accepted", succeeded=True,
            expires_at=now + timedelta(minutes=1), answered_at=now, **fields,
        )  # fmt: skip
        ids.append((row.pk, Batch.objects.create(**fields).pk))
    new = migrate_forward()
    for (command_id, batch_id), (action, payload, name, arguments) in zip(ids, FRAMES, strict=True):
        command = new.get_model("stations", "Command").objects.get(pk=command_id)
        batch = new.get_model("stations", "CommandBatch").objects.get(pk=batch_id)
        for row in (command, batch):
            assert (row.action, row.payload) == (action, payload)
            assert (row.operation, row.arguments, row.raw_version) == (
                name, arguments or {}, "ocpp1.6" if arguments is None else "",
            )  # fmt: skip
        assert (command.version, command.verdict, command.result_status) == ("ocpp1.6", "accepted", "Accepted")


def test_arguments_of_old_commands_are_those_that_are_written_now(forward):
    """The migration's own tables, which never change, agree with the dialect of today."""
    from stations.dialects import dialect_of
    from stations.operations import read_operation

    for action, payload, name, arguments in FRAMES:
        said = dialect_of("ocpp1.6").operation(action, payload)
        if arguments is None:
            assert said is None
        else:
            assert said == read_operation(name, arguments)
            assert said.to_json() == arguments


def test_password_of_a_batch_is_sealed(forward):
    old, migrate_forward = forward
    secret = "00112233445566778899aabbccddeeff"
    payload = {"key": "AuthorizationKey", "value": secret}
    old.get_model("stations", "CommandBatch").objects.create(
        action="ChangeConfiguration", payload=payload, requested_by="anna", via="api", created_at=timezone.now()
    )
    batch = migrate_forward().get_model("stations", "CommandBatch").objects.get()
    assert (batch.payload["value"], batch.arguments["value"], unseal(batch.sealed)) == (MASK, MASK, secret)


def test_stations_speak_what_they_spoke(forward):
    old, migrate_forward = forward
    make_station(old, "NEVER")
    make_station(old, "ONCE", connected_at=timezone.now())
    make_station(old, "ODD", assume_ocpp16=True)
    Station = migrate_forward().get_model("stations", "Station")
    found = Station.objects.order_by("identity").values_list("identity", "version", "assumed_version")
    assert list(found) == [("NEVER", "", ""), ("ODD", "", "ocpp1.6"), ("ONCE", "ocpp1.6", "")]


def test_local_lists_and_notices_are_worded_anew_and_back(forward):
    old, migrate_forward = forward
    now = timezone.now()
    station = make_station(old)
    info = {"status": "Accepted", "expiryDate": "2030-01-01T00:00:00Z", "parentIdTag": "G"}
    told = {"status": "Accepted", "expires_at": "2030-01-01T00:00:00Z", "group_id_tag": "G"}
    part = {"listVersion": 3, "updateType": "Full", "localAuthorizationList": [{"idTag": "A", "idTagInfo": info}]}
    old.get_model("id_tags", "LocalList").objects.create(station=station, version=2, entries={"a": ["A", info]})
    old.get_model("id_tags", "LocalListUpdate").objects.create(
        station=station, update_type="Full", wanted={"a": ["A", info]}, remaining=[part], requested_by="anna",
        via="api", created_at=now,
    )  # fmt: skip
    kinds = {
        "DiagnosticsStatusNotification": "diagnostics", "FirmwareStatusNotification": "firmware",
        "SignedFirmwareStatusNotification": "signed_firmware", "LogStatusNotification": "log",
        "SecurityEventNotification": "security_event", "DataTransfer": "data_transfer",
    }  # fmt: skip
    Notice = old.get_model("stations", "Notice")
    for number, kind in enumerate(kinds, 1):
        Notice.objects.create(station=station, kind=kind, payload={}, received_at=now, digest=f"{number:032x}")
    new = migrate_forward()
    assert new.get_model("id_tags", "LocalList").objects.get().entries == {"a": ["A", told]}
    update = new.get_model("id_tags", "LocalListUpdate").objects.get()
    assert update.wanted == {"a": ["A", told]}
    assert update.remaining == [
        {"version": 3, "update": "Full", "tags": [{"id_tag": "A", "authorization": told}]}
    ]  # fmt: skip
    found = new.get_model("stations", "Notice").objects.order_by("digest").values_list("kind", flat=True)
    assert list(found) == list(kinds.values())
    again = migrate(BEFORE)
    assert again.get_model("id_tags", "LocalList").objects.get().entries == {"a": ["A", info]}
    assert again.get_model("id_tags", "LocalListUpdate").objects.get().remaining == [part]
    found = again.get_model("stations", "Notice").objects.order_by("digest").values_list("kind", flat=True)
    assert list(found) == list(kinds)
