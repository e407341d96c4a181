"""Meter values in the API."""

from datetime import timedelta

import pytest

from meter.services.readings import MeterMessage, record_readings
from tests.support.api import Program, errors, queries_grow
from tests.support.factories import NOON, make_station, reading, received, start, transaction_of

pytestmark = pytest.mark.django_db
DAY = {"station": "A", "since": "2026-03-01T00:00:00Z", "until": "2026-03-02T00:00:00Z"}


@pytest.fixture
def program() -> Program:
    return Program()


def sample(station, minute: int = 0, value: float | None = 1500.0, transaction_id: int = 0, **fields) -> None:
    at = NOON + timedelta(minutes=minute)
    ref, connector_id = str(transaction_id or ""), fields.pop("connector_id", 1)
    readings = [reading(value, reported_at=at, **fields)]
    message = MeterMessage(received(station, at), connector_id, transaction_id or None, ref, readings)
    assert record_readings(messages=[message]) == [True]


def test_samples_of_a_station_in_time_order(program):
    station = make_station("A")
    sample(station, 5, 2500.0, unit="kWh")
    sample(station, 0, 230.0, measurand="Voltage", unit="V", phase="L1", connector_id=2)
    sample(make_station("B"), 1)
    first, second = program.get("meter-values/", **DAY)["results"]
    assert (first["measurand"], first["value"], first["unit"], first["phase"], first["connector_id"]) == (
        "Voltage", 230.0, "V", "L1", 2,
    )  # fmt: skip
    assert (second["value"], second["unit"], second["reported_value"], second["reported_unit"]) == (
        2500.0, "Wh", "2.5", "kWh",
    )  # fmt: skip
    assert (second["station"], second["effective_at"], second["transaction_id"]) == ("A", "2026-03-01T12:05:00Z", None)
    for parameter, value in (("measurand", "Voltage"), ("phase", "L1"), ("connector_id", "2")):
        assert program.ids("meter-values/", "value", **DAY, **{parameter: value}) == [230.0]
    assert program.ids("meter-values/", "value", **(DAY | {"since": "2026-03-01T12:05:00Z"})) == [2500.0]
    assert program.ids("meter-values/", "value", **(DAY | {"until": "2026-03-01T12:05:00Z"})) == [230.0]


def test_text_that_is_no_number_is_shown_as_it_came(program):
    sample(make_station("A"), 0, None)
    (row,) = program.get("meter-values/", **DAY)["results"]
    assert (row["value"], row["reported_value"]) == (None, "n/a")


@pytest.mark.parametrize(
    ("parameters", "wrong"),
    [
        ({}, ["station"]),
        ({"measurand": "Voltage"}, ["station"]),
        ({"station": "A"}, ["since", "until"]),
        ({"station": "A", "since": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:01Z"}, ["until"]),
        ({"transaction_id": "9999999999"}, ["transaction_id"]),
    ],
)
def test_nobody_lists_everything(program, parameters, wrong):
    assert sorted(errors(program.get("meter-values/", status=400, **parameters))) == wrong


def test_31_days_are_allowed(program):
    period = {"since": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z"}
    assert program.get("meter-values/", station="NONE", **period)["results"] == []


def test_samples_of_a_transaction(program):
    station = make_station("A")
    row = transaction_of(start(station))
    sample(station, 1, 1100.0, row.transaction_id)
    sample(station, 2, 230.0, row.transaction_id, measurand="Voltage", unit="V")
    sample(station, 3, 9.0, connector_id=3)
    path = f"transactions/{row.transaction_id}/meter-values/"
    assert program.ids(path, "value") == [1100.0, 230.0]
    assert program.ids(path, "value", measurand="Voltage") == [230.0]
    assert program.ids("meter-values/", "value", transaction_id=row.transaction_id) == [1100.0, 230.0]
    assert program.get(path)["results"][0]["transaction_id"] == row.transaction_id
    assert program.ids("meter-values/", "value", transaction_id=2**31 - 1) == []
    program.get("transactions/2147483647/meter-values/", status=404)


def test_pages_hold_every_sample_once_while_more_arrive(program):
    station = make_station("A")
    for number in range(7):
        sample(station, number // 3, float(number), connector_id=number)
    page = program.get("meter-values/", **DAY, page_size=3)
    sample(station, -5, 100.0)
    sample(station, 50, 200.0)
    found = [row["value"] for row in page["results"]] + program.ids(
        page["next"].partition("/api/v1/")[2], "value"
    )  # fmt: skip
    assert found == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 200.0]


def test_list_runs_as_many_queries_for_1_as_for_20(program):
    station = make_station("A")
    assert queries_grow(program, "meter-values/", lambda n: sample(station, n, connector_id=n), **DAY) == 0
