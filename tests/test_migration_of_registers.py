"""The rows of an older release, migrated to this one and back: each is kept, and says what it said."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.apps.registry import Apps
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from meter.services.series import known_series
from tests.support.factories import NOON
from transactions.invariants import broken_invariants
from transactions.services.readings import known_transactions

pytestmark = pytest.mark.storage

WHOLE_WATT_HOURS = [
    ("connectors", "0003_rows_alone"),
    ("id_tags", "0004_words_of_lists_data"),
    ("status_notifications", "0002_no_unused_indexes"),
    ("transactions", "0005_rows_alone"),
]
"""The state before registers hold fractions and words are open."""
FRACTIONS = [
    ("connectors", "0006_status_is_an_open_word"),
    ("id_tags", "0005_kind_of_token"),
    ("status_notifications", "0003_words_without_a_code"),
    ("transactions", "0010_index_of_refs"),
]
"""The state after."""
LOWEST, HIGHEST = -(2**63), 2**63 - 1

Rows = dict[int, dict[str, Any]]
Migrate = Callable[[list[tuple[str, str]] | None], Apps]


@pytest.fixture
def migrate(transactional_db: None) -> Iterator[Migrate]:
    """Migrate to some nodes, None for the newest, and return the models that the tables are of then."""

    def to(nodes: list[tuple[str, str]] | None) -> Apps:
        executor = MigrationExecutor(connection)
        executor.migrate(nodes or executor.loader.graph.leaf_nodes())
        return MigrationExecutor(connection)._create_project_state(with_applied_migrations=True).apps

    yield to
    to(None)
    known_series.clear()
    known_transactions.clear()
    connection.close()  # and with it its prepared statements, of tables as they were


def rows(apps: Apps, label: str) -> Rows:
    return {row["id"]: row for row in apps.get_model(label)._base_manager.order_by("id").values()}


def without(names: str, found: Rows) -> Rows:
    return {pk: {name: row[name] for name in row if name not in names.split()} for pk, row in found.items()}


def make_transaction(apps: Apps, number: int, **fields: Any) -> Any:
    """A transaction of a station and connector of its own, by the models of any time."""
    station = apps.get_model("stations.Station").objects.create(identity=f"OLD-{number}", connection_epoch=1)
    connector = apps.get_model("connectors.Connector").objects.create(station=station, connector_id=1)
    at = NOON + timedelta(minutes=number)
    defaults: dict[str, Any] = {
        "station": station, "connector": connector, "id_tag": "Tag", "id_tag_info": {"status": "Accepted"},
        "accepted": True, "reported_connector_id": 1, "start_timestamp_raw": at.isoformat(), "meter_start_raw": "1000",
        "start_is_credible": True, "started_at": at, "start_received_at": at, "meter_start": 1000,
        "last_message_at": at, "energy_wh": 0, "marks": ["overlap"],
    }  # fmt: skip
    return apps.get_model("transactions.Transaction").objects.create(**(defaults | fields))


def reported(**fields: Any) -> dict[str, Any]:
    return {"closing": "reported", "stopped_at": NOON + timedelta(hours=1), "stop_reason": "UnlockCommand"} | fields


def test_registers_and_energies_are_the_same_numbers(migrate: Migrate) -> None:
    old = migrate(WHOLE_WATT_HOURS)
    made: list[tuple[dict[str, Any], dict[str, str | None]]] = [
        # Fields of the row, and what its numbers are afterwards.
        ({}, {"meter_start": "1000", "meter_stop": None, "energy_wh": "0", "last_register_wh": None}),
        ({"meter_start": None, "energy_wh": None}, {"meter_start": None, "energy_wh": None}),
        (
            {"last_register_wh": 1234.5678, "energy_wh": 1234.5678 - 1000},
            {"last_register_wh": "1234.568", "energy_wh": "234.568"},
        ),
        # Its float is 234.56749999999988; the energy is the difference of what the registers are by now.
        (
            {"last_register_wh": 1234.5675, "energy_wh": 1234.5675 - 1000},
            {"last_register_wh": "1234.568", "energy_wh": "234.568"},
        ),
        ({"last_register_wh": 999.5}, {"last_register_wh": "999.5", "energy_wh": "0"}),
        # More digits than a cast of the float would keep.
        (
            {"last_register_wh": 123456789012345.67, "energy_wh": 123456789012345.67 - 1000},
            {"last_register_wh": "123456789012345.67", "energy_wh": "123456789011345.67"},
        ),
        (reported(meter_stop=6000, energy_wh=5000.0), {"meter_stop": "6000", "energy_wh": "5000"}),
        (
            reported(meter_start=LOWEST, meter_stop=HIGHEST, energy_wh=float(HIGHEST - LOWEST)),
            {"meter_start": str(LOWEST), "meter_stop": str(HIGHEST), "energy_wh": str(HIGHEST - LOWEST)},
        ),
        (
            reported(meter_start=0, meter_stop=2**53 + 1, energy_wh=float(2**53 + 1)),
            {"meter_stop": str(2**53 + 1), "energy_wh": str(2**53 + 1)},
        ),
        (reported(meter_stop=500, energy_wh=0.0), {"meter_stop": "500", "energy_wh": "0"}),
        # An energy that is no difference stays what it was.
        (reported(meter_stop=6000, energy_wh=4000.25), {"meter_stop": "6000", "energy_wh": "4000.25"}),
        (reported(energy_wh=0.1 + 0.2), {"meter_stop": None, "energy_wh": "0.3"}),
        (
            {
                "closing": "estimated", "stopped_at": NOON, "estimated_stopped_at": NOON, "estimate_cause": "stale",
                "last_register_wh": 1000.1, "energy_wh": 1000.1 - 1000, "estimated_energy_wh": 1000.1 - 1000,
            },
            {"last_register_wh": "1000.1", "energy_wh": "0.1", "estimated_energy_wh": "0.1"},
        ),
    ]  # fmt: skip
    numbers = {make_transaction(old, index, **fields).pk: after for index, (fields, after) in enumerate(made)}
    registers = "meter_start meter_stop energy_wh last_register_wh estimated_energy_wh"
    before = rows(old, "transactions.Transaction")

    new = migrate(FRACTIONS)
    after = rows(new, "transactions.Transaction")
    assert without(f"{registers} ref id_tag_kind plug", after) == without(registers, before)
    assert {pk: {name: after[pk][name] for name in expected} for pk, expected in numbers.items()} == {
        pk: {name: None if text is None else Decimal(text) for name, text in expected.items()}
        for pk, expected in numbers.items()
    }
    wrong = [finding for finding in broken_invariants(now=NOON) if "difference of the registers" in finding.title]
    assert [finding.rows for finding in wrong] == [1]  # the one that was no difference before

    assert rows(migrate(WHOLE_WATT_HOURS), "transactions.Transaction") == {
        pk: row | {name: float(after[pk][name]) for name in registers.split()[2:] if row[name] is not None}
        for pk, row in before.items()
    }


def test_fractions_are_rounded_on_the_way_back(migrate: Migrate) -> None:
    new = migrate(FRACTIONS)
    row = make_transaction(
        new, 0, ref="1", meter_start=Decimal("1000.5"), energy_wh=Decimal("4999.625"), stop_reason="Remote",
        closing="reported", stopped_at=NOON, meter_stop=Decimal("6000.125"),
    )  # fmt: skip
    connector = row.connector
    connector.last_meter_stop_wh = Decimal("6000.5")
    connector.save()
    old = migrate(WHOLE_WATT_HOURS)
    (stored,) = rows(old, "transactions.Transaction").values()
    assert (stored["meter_start"], stored["meter_stop"], stored["energy_wh"]) == (1001, 6000, 4999.625)
    assert type(stored["meter_start"]) is int
    assert old.get_model("connectors.Connector").objects.get().last_meter_stop_wh == 6001
    (again,) = rows(migrate(FRACTIONS), "transactions.Transaction").values()
    assert (again["ref"], again["meter_start"]) == (str(again["transaction_id"]), 1001)


def test_each_transaction_gets_its_stations_word(migrate: Migrate) -> None:
    old = migrate(WHOLE_WATT_HOURS)
    for number in range(5):
        make_transaction(old, number)
    table = migrate(FRACTIONS).get_model("transactions.Transaction").objects
    assert [row.ref for row in table.order_by("pk")] == [str(row.transaction_id) for row in table.order_by("pk")]
    table.filter(station__identity="OLD-3").update(ref="its own")  # by now a column like any other
    make_transaction(migrate(FRACTIONS), 5, ref="its own")
    assert table.filter(ref="its own").count() == 2


def test_connectors_tags_statuses_and_orphans_are_kept(migrate: Migrate) -> None:
    old = migrate(WHOLE_WATT_HOURS)
    station = old.get_model("stations.Station").objects.create(identity="OLD", connection_epoch=1)
    connector = old.get_model("connectors.Connector").objects
    for number, register in enumerate((None, 0, LOWEST, HIGHEST)):
        connector.create(
            station=station, connector_id=number, evse_id=number or None, status="SuspendedEVSE",
            last_meter_stop_wh=register,
        )  # fmt: skip
    old.get_model("id_tags.IdTag").objects.create(id_tag="Tag")
    for code in range(10):
        old.get_model("status_notifications.StatusNotification").objects.create(
            effective_at=NOON, received_at=NOON, station=station, connector_id=1, status=code
        )
    for number, register in enumerate((None, LOWEST, HIGHEST)):
        old.get_model("transactions.OrphanMessage").objects.create(
            station=station, kind="StopTransaction", digest=f"00000000-0000-0000-0000-{number:012}",
            meter_stop=register, stop_reason="DeAuthorized", effective_at=NOON, received_at=NOON,
            last_received_at=NOON,
        )  # fmt: skip
    new_columns = {
        "connectors.Connector": "",
        "id_tags.IdTag": "kind",
        "status_notifications.StatusNotification": "other_status",
        "transactions.OrphanMessage": "",
    }
    before = {label: rows(old, label) for label in new_columns}

    new = migrate(FRACTIONS)
    for label, column in new_columns.items():
        after = rows(new, label)
        assert without(column, after) == without("evse_id", before[label]), label
        assert {row[column] for row in after.values() if column} <= {""}

    old = migrate(WHOLE_WATT_HOURS)
    before["connectors.Connector"] = {
        pk: row | {"evse_id": None} for pk, row in before["connectors.Connector"].items()
    }
    assert {label: rows(old, label) for label in new_columns} == before
