"""A transaction's samples, as a table and as curves."""

from datetime import timedelta

import pytest

from meter.selectors import MAX_POINTS, Column, curves, sample_table, samples_of
from meter.services.readings import MeterMessage, record_readings
from meter.types import Reading
from stations.models import Station
from tests.support.factories import NOON, make_station, reading, received, start, stop, transaction_of
from transactions.models import Transaction

pytestmark = pytest.mark.django_db
POWER, SOC = "Power.Active.Import", "SoC"


@pytest.fixture
def station() -> Station:
    return make_station()


@pytest.fixture
def row(station) -> Transaction:
    return transaction_of(start(station))


def message(row: Transaction, *readings: Reading, minutes: float = 0, connector_id: int = 1) -> MeterMessage:
    at = NOON + timedelta(minutes=minutes)
    readings = tuple(one._replace(reported_at=at) for one in readings)
    return MeterMessage(received(row.station, at), connector_id, row.transaction_id, str(row.transaction_id), readings)


def report(row: Transaction, *readings: Reading, minutes: float = 0, connector_id: int = 1) -> None:
    record_readings(messages=[message(row, *readings, minutes=minutes, connector_id=connector_id)])
    row.refresh_from_db()


def power(value: float, phase: str = "", **fields) -> Reading:
    return reading(value, measurand=POWER, unit="W", phase=phase, **fields)


def test_samples_are_the_transactions_own(station, row):
    report(row, reading(1100.0))
    other = transaction_of(start(station, connector_id=2, id_tag="OTHER"))
    report(other, reading(7.0), connector_id=2)
    assert list(samples_of(row).values_list("value", flat=True)) == [1100.0]


def test_samples_of_another_connector_and_after_the_stop_belong_to_it_too(station, row):
    report(row, reading(1100.0), connector_id=0)
    stop(station, transaction_id=row.transaction_id)
    report(row, reading(6000.0), minutes=45)
    assert sorted(samples_of(row).values_list("value", flat=True)) == [1100.0, 6000.0]


def test_table_has_a_line_per_instant_and_a_column_per_quantity(row):
    report(row, power(7200.0), reading(1100.0), reading(16.0, measurand="Current.Import", unit="A", phase="L1"))
    report(row, reading(1220.0), reading(None, measurand="SoC", unit="Percent", raw="n/a"), minutes=1)
    table = sample_table(row, page=1, size=10)
    energy = Column("Energy.Active.Import.Register", "", "Outlet", "Wh")
    soc = Column("SoC", "", "Outlet", "Percent")
    current = Column("Current.Import", "L1", "Outlet", "A")
    assert table.columns == [energy, Column(POWER, "", "Outlet", "W"), soc, current]
    assert [line.values for line in table.lines] == [
        {energy: "1,100", Column(POWER, "", "Outlet", "W"): "7,200", current: "16"},
        {energy: "1,220", soc: "n/a"},
    ]


def test_table_keeps_contexts_apart_and_doubled_samples_together(row):
    report(row, reading(1100.0), reading(1100.0, context="Transaction.Begin"), reading(1101.0))
    lines = sample_table(row, page=1, size=10).lines
    assert sorted((line.context, *line.values.values()) for line in lines) == [
        ("Sample.Periodic", "1,100; 1,101"),
        ("Transaction.Begin", "1,100"),
    ]


def test_table_is_paged_without_a_count(row, django_assert_num_queries):
    for minute in range(5):
        report(row, reading(1000.0 + minute), minutes=minute)
    pages = [sample_table(row, page=page, size=2) for page in (1, 2, 3, 4)]
    assert [([line.at.minute for line in page.lines], page.has_next) for page in pages] == [
        ([0, 1], True),
        ([2, 3], True),
        ([4], False),
        ([], False),
    ]
    with django_assert_num_queries(3):
        sample_table(row, page=2, size=2)


def test_curves_show_register_power_and_charge(row):
    report(row, reading(1100.0), power(7000.0), reading(40.0, measurand=SOC, unit="Percent"))
    report(row, reading(1220.0), power(7400.0), reading(41.0, measurand=SOC, unit="Percent"), minutes=1)
    later = NOON + timedelta(minutes=1)
    found = curves(row)
    assert found.register == [(NOON, 1100.0), (later, 1220.0)]
    assert found.power == [(NOON, 7000.0), (later, 7400.0)]
    assert found.soc == [(NOON, 40.0), (later, 41.0)]


def test_curves_add_phases_where_power_comes_by_phase_only(row):
    report(row, power(1.0, "L1"), power(2.0, "L2"), power(4.0, "L3"), power(99.0, "N"))
    assert curves(row).power == [(NOON, 7.0)]


def test_curves_prefer_the_total_to_the_phases(row):
    report(row, power(1.0, "L1"), power(2.0, "L2"), power(3.5))
    assert curves(row).power == [(NOON, 3.5)]


def test_curves_prefer_the_outlet_to_other_locations(row):
    report(row, power(50_000.0, location="Inlet"), power(48_000.0))
    assert curves(row).power == [(NOON, 48_000.0)]


def test_curves_of_another_location_only(row):
    report(row, power(50_000.0, location="Inlet"))
    assert curves(row).power == [(NOON, 50_000.0)]


def test_curves_have_a_bounded_number_of_points(station, row, django_assert_num_queries):
    instants = [minute + half * 1.5 for minute in range(0, 3 * MAX_POINTS, 3) for half in (0, 1)]
    values = [1000.0, 3000.0] * MAX_POINTS
    record_readings(messages=[message(row, power(v), minutes=at) for at, v in zip(instants, values, strict=True)])
    row.refresh_from_db()
    with django_assert_num_queries(2):
        found = curves(row).power
    assert (len(found) <= MAX_POINTS + 1, {round(value) for _, value in found[1:-1]} <= {1000, 2000, 3000}) == (
        True,
        True,
    )


def test_curves_of_a_transaction_without_samples_are_empty(row):
    assert curves(row) == ([], [], [])
