"""Schedules, authorizations, stop conflicts and unmatched messages of before, in words of the domain."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.apps.registry import Apps
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tests.support.factories import NOON

BEFORE, AFTER = [("transactions", "0010_index_of_refs")], [("transactions", "0012_words_of_the_domain_data")]
SCHEDULE = {
    "chargingRateUnit": "A", "duration": 60, "startSchedule": "2030-01-01T00:00:00Z", "minChargingRate": 6,
    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 21.4, "numberPhases": 3}, "odd"],
}  # fmt: skip
WORDED = {
    "unit": "A", "duration_s": 60, "starts_at": "2030-01-01T00:00:00Z", "min_rate": 6,
    "periods": [{"starts_s": 0, "limit": 21.4, "phases": 3}, "odd"],
}  # fmt: skip


def migrate(targets: list[tuple[str, str]]) -> Apps:
    MigrationExecutor(connection).migrate(targets)
    return MigrationExecutor(connection)._create_project_state(with_applied_migrations=True).apps


@pytest.fixture
def old(transactional_db: None) -> Iterator[Apps]:
    newest = list(MigrationExecutor(connection).loader.graph.leaf_nodes())
    yield migrate(BEFORE)
    migrate(newest)
    connection.close()  # and with it its prepared statements, of tables as they were


def make_transaction(old: Apps, number: int, **fields: Any) -> Any:
    station = old.get_model("stations", "Station").objects.create(identity=f"OLD-{number}")
    connector = old.get_model("connectors", "Connector").objects.create(station=station, connector_id=1)
    return old.get_model("transactions", "Transaction").objects.create(
        station=station, connector=connector, id_tag="T", accepted=True, reported_connector_id=1, ref=str(number),
        start_is_credible=True, started_at=NOON, start_received_at=NOON, last_message_at=NOON, marks=[], **fields,
    )  # fmt: skip


def test_authorizations_are_worded_and_back(old):
    infos = [
        {"status": "Accepted"},
        {"status": "Blocked", "expiryDate": "2030-01-01T00:00:00Z"},
        {"status": "Accepted", "expiryDate": "2030-01-01T00:00:00Z", "parentIdTag": "G"},
    ]
    for number, info in enumerate(infos):
        make_transaction(old, number, id_tag_info=info)
    rows = migrate(AFTER).get_model("transactions", "Transaction").objects.order_by("pk")
    assert list(rows.values_list("told_authorization", flat=True)) == [
        {"status": "Accepted"},
        {"status": "Blocked", "expires_at": "2030-01-01T00:00:00Z"},
        {"status": "Accepted", "expires_at": "2030-01-01T00:00:00Z", "group_id_tag": "G"},
    ]
    rows = migrate(BEFORE).get_model("transactions", "Transaction").objects.order_by("pk")
    assert list(rows.values_list("id_tag_info", flat=True)) == infos


def test_schedules_are_worded_and_back(old):
    station = old.get_model("stations", "Station").objects.create(identity="A")
    command = old.get_model("stations", "Command").objects.create(
        station=station, action="x", requested_by="a", via="api", created_at=NOON, expires_at=NOON
    )
    old.get_model("transactions", "ChargingProfile").objects.create(
        charging_profile_id=1, station=station, connector_id=1, purpose="TxDefaultProfile", kind="Absolute",
        stack_level=0, rate_unit="A", schedule=SCHEDULE, command=command, created_at=NOON,
    )  # fmt: skip
    old.get_model("transactions", "CompositeSchedule").objects.create(
        station=station, connector_id=1, command=command, schedule={"x": 1}, received_at=NOON
    )
    new = migrate(AFTER)
    assert new.get_model("transactions", "ChargingProfile").objects.get().schedule == WORDED
    assert new.get_model("transactions", "CompositeSchedule").objects.get().schedule == {"x": 1}
    assert migrate(BEFORE).get_model("transactions", "ChargingProfile").objects.get().schedule == SCHEDULE


def test_stop_conflicts_say_what_their_messages_said(old):
    said = [
        ({"meterStop": 9, "timestamp": "2026-11-01T10:00:00+01:00", "reason": "Reboot"},
         (Decimal(9), datetime(2026, 11, 1, 9, tzinfo=UTC), "Reboot")),
        ({"meterStop": "12.5", "timestamp": "soon"}, (Decimal("12.5"), None, "Local")),
        ({"meterStop": True, "timestamp": 5, "reason": None}, (None, None, "Local")),
        ({"meterStop": "NaN"}, (None, None, "Local")),
        ({"meterStop": 10**30}, (None, None, "Local")),
        ([], (None, None, "Local")),
    ]  # fmt: skip
    row = make_transaction(old, 1, id_tag_info={"status": "Accepted"})
    for number, (payload, _) in enumerate(said):
        old.get_model("transactions", "StopConflict").objects.create(
            transaction=row, digest=f"{number:032x}", payload=payload, received_at=NOON + timedelta(seconds=number)
        )
    found = migrate(AFTER).get_model("transactions", "StopConflict").objects.order_by("pk")
    assert list(found.values_list("meter_stop", "reported_at", "stop_reason")) == [expected for _, expected in said]
    assert list(found.values_list("payload", flat=True)) == [payload for payload, _ in said]


def test_unmatched_messages_keep_their_kind(old):
    station = old.get_model("stations", "Station").objects.create(identity="A")
    kinds = ["StopTransaction", "MeterValues"]
    for kind in kinds:
        old.get_model("transactions", "OrphanMessage").objects.create(
            station=station, kind=kind, digest=f"{1:032x}", effective_at=NOON, received_at=NOON, last_received_at=NOON
        )
    rows = migrate(AFTER).get_model("transactions", "OrphanMessage").objects.order_by("pk")
    assert list(rows.values_list("kind", flat=True)) == ["stop", "meter_values"]
    rows = migrate(BEFORE).get_model("transactions", "OrphanMessage").objects.order_by("pk")
    assert list(rows.values_list("kind", flat=True)) == kinds
