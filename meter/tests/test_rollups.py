"""Roll-ups equal what all samples come to, in whatever order they came, and whatever is rolled up when."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meter.models import DayRollup, LateMark, MeterValue, QuarterRollup, RollupProgress
from meter.rollups.aggregates import Width, energy, power, station_days_energy, station_month_energy
from meter.rollups.roll_up import roll_up
from meter.services.readings import MeterMessage, record_readings
from stations.models import Station
from tests.support import rollup_model as model
from tests.support.factories import make_station, reading, received, start, stop
from tests.support.rollup_model import DAY, QUARTER, Sample
from tests.support.samples import END, MIDNIGHT, store

pytestmark = [pytest.mark.django_db, pytest.mark.storage]


def stored(table: type[QuarterRollup] | type[DayRollup]) -> dict[tuple, model.Expected]:
    rows = table.objects.select_related("series").order_by("pk")
    return {
        (
            (row.series.connector_id, row.series.location, row.series.phase, row.series.context, row.series.unit),
            row.bucket,
        ): model.Expected(
            row.first_at, row.last_at, pytest.approx(row.total), row.lowest, row.highest, row.first_value,
            row.last_value, row.samples,
        )
        for row in rows
    }  # fmt: skip


def wh(found) -> dict[datetime, tuple]:
    return {each.begins_at: (pytest.approx(each.energy_wh, abs=1e-6), each.register_reset) for each in found}


@pytest.fixture
def station() -> Station:
    return make_station()


def test_samples_roll_up_by_quarter_and_day(station):
    store(station, *(Sample(MIDNIGHT + timedelta(minutes=minute), 100.0 + minute) for minute in range(31)))
    done = roll_up(now=MIDNIGHT + DAY + timedelta(hours=1))
    assert (done.quarters, done.days, done.late, done.until) == (3, 1, 0, MIDNIGHT + DAY)
    series = MeterValue.objects.values_list("series_id", flat=True).distinct().get()
    row = QuarterRollup.objects.get(pk=(series, MIDNIGHT + QUARTER))
    assert (row.samples, row.total, row.lowest, row.highest) == (15, sum(range(115, 130)), 115, 129)
    assert (row.first_value, row.last_value, row.first_at, row.last_at) == (
        115, 129, MIDNIGHT + QUARTER, MIDNIGHT + timedelta(minutes=29),
    )  # fmt: skip
    day = DayRollup.objects.get()
    assert (day.bucket, day.samples, day.first_value, day.last_value) == (MIDNIGHT, 31, 100, 130)


def test_quarter_is_rolled_up_only_when_it_ended_the_lag_ago(station):
    store(station, Sample(MIDNIGHT, 1.0))
    roll_up(now=MIDNIGHT + QUARTER + timedelta(minutes=59))
    assert QuarterRollup.objects.count() == 0
    roll_up(now=MIDNIGHT + QUARTER + timedelta(minutes=60))
    assert QuarterRollup.objects.count() == 1


def test_second_roll_up_finds_nothing_to_do(station):
    store(station, Sample(MIDNIGHT, 1.0), Sample(MIDNIGHT + DAY, 2.0))
    roll_up(now=END)
    done = roll_up(now=END)
    assert (done.is_ours, done.quarters, done.days, done.late) == (True, 0, 0, 0)


def test_roll_up_in_steps_ends_where_one_in_a_go_does(station):
    store(station, *(Sample(MIDNIGHT + timedelta(hours=hour), float(hour)) for hour in range(60)))
    runs = 0
    while roll_up(now=END, limit_s=0).until != END - timedelta(hours=1):
        runs += 1
    assert runs == 70
    assert (QuarterRollup.objects.count(), DayRollup.objects.count()) == (60, 2)


def test_usual_samples_leave_no_mark_and_late_ones_do(station):
    at = MIDNIGHT + timedelta(hours=5, minutes=7)
    store(station, Sample(at, 1.0), received_at=at + timedelta(minutes=29))
    assert LateMark.objects.count() == 0
    store(station, Sample(at, 2.0), Sample(at, 3.0), received_at=at + timedelta(minutes=31))
    assert LateMark.objects.values_list("bucket", flat=True).get() == MIDNIGHT + timedelta(hours=5)


def test_late_sample_without_a_number_leaves_no_mark(station):
    store(station, Sample(MIDNIGHT, None), received_at=END)
    assert LateMark.objects.count() == 0


def test_late_samples_of_a_stop_are_marked():
    station = make_station()
    answer = start(station, at=MIDNIGHT)
    data = (reading(2000.0, reported_at=MIDNIGHT + timedelta(minutes=5)),)
    stop(station, transaction_id=answer.transaction_id, transaction_data=data, at=MIDNIGHT + DAY)
    assert LateMark.objects.values_list("bucket", flat=True).get() == MIDNIGHT


def test_late_samples_are_rolled_up_again_by_quarter_and_day(station):
    store(station, Sample(MIDNIGHT, 10.0), Sample(MIDNIGHT + timedelta(hours=1), 50.0))
    roll_up(now=END)
    late = [Sample(MIDNIGHT + timedelta(minutes=3), 20.0), Sample(MIDNIGHT + timedelta(hours=9), 90.0)]
    store(station, *late, received_at=END)
    done = roll_up(now=END)
    assert (done.late, LateMark.objects.count()) == (2, 0)
    samples = [Sample(MIDNIGHT, 10.0), Sample(MIDNIGHT + timedelta(hours=1), 50.0), *late]
    assert stored(QuarterRollup) == model.rollups(samples, QUARTER)
    assert stored(DayRollup) == model.rollups(samples, DAY)


def test_values_that_nothing_measures_do_not_count(station):
    values = [float("nan"), float("inf"), -float("inf"), 1.7e308, -1.7e308, 5.0]
    samples = [Sample(MIDNIGHT + timedelta(seconds=second), value) for second, value in enumerate(values)]
    store(station, *samples)
    roll_up(now=END)
    assert [(row.samples, row.total) for row in QuarterRollup.objects.all()] == [(1, 5.0)]


def test_energy_is_taken_from_the_last_value_before(station):
    store(station, Sample(MIDNIGHT - timedelta(days=40), 100.0), Sample(MIDNIGHT + timedelta(hours=1), 350.0))
    for _ in range(2):
        found = energy(station_id=station.pk, since=MIDNIGHT, until=END, width=Width.DAY)
        assert found == [(MIDNIGHT, 250.0, False)]
        roll_up(now=END)


def test_register_that_begins_anew_costs_nothing_and_is_said(station):
    store(
        station,
        Sample(MIDNIGHT, 1000.0),
        Sample(MIDNIGHT + timedelta(minutes=20), 0.0),
        Sample(MIDNIGHT + timedelta(minutes=25), 40.0),
        Sample(MIDNIGHT + timedelta(minutes=35), 90.0),
    )
    found = energy(station_id=station.pk, since=MIDNIGHT, until=END, width=Width.QUARTER)
    assert found == [
        (MIDNIGHT, 0.0, False), (MIDNIGHT + QUARTER, 40.0, True), (MIDNIGHT + 2 * QUARTER, 50.0, False),
    ]  # fmt: skip


def test_contexts_and_units_of_one_register_are_merged_by_time(station):
    minutes = [(0, 100.0, "Transaction.Begin"), (3, 150.0, "Sample.Periodic"), (9, 210.0, "Transaction.End")]
    samples = [Sample(MIDNIGHT + timedelta(minutes=at), value, context=context) for at, value, context in minutes]
    store(station, *samples, Sample(MIDNIGHT + timedelta(minutes=12), 230.0, unit="kWh"))
    roll_up(now=END)
    assert energy(station_id=station.pk, since=MIDNIGHT, until=END, width=Width.QUARTER) == [(MIDNIGHT, 130.0, False)]


def test_outlet_goes_before_other_places_and_the_main_meter_last(station):
    for connector_id, location, gain in ((0, "Outlet", 7.0), (1, "Inlet", 5.0), (1, "Outlet", 3.0), (2, "Inlet", 2.0)):
        at = MIDNIGHT + timedelta(minutes=1)
        store(station, Sample(MIDNIGHT, 0.0, connector_id, location), Sample(at, gain, connector_id, location))

    def total(connector_id: int | None) -> float:
        asked = {"since": MIDNIGHT, "until": END, "width": Width.MONTH, "connector_id": connector_id}
        return sum(each.energy_wh for each in energy(station_id=station.pk, **asked))

    assert [total(connector_id) for connector_id in (None, 0, 1, 2, 3)] == [5.0, 7.0, 3.0, 2.0, 0]


def test_power_is_the_mean_and_the_highest_with_phases_added(station):
    for minute in range(4):
        at = MIDNIGHT + timedelta(minutes=minute)
        readings = [
            reading(1000.0 * number + minute, measurand="Power.Active.Import", unit="W", phase=phase, reported_at=at)
            for number, phase in enumerate(("L1", "L2", "L3"), start=1)
        ]
        record_readings(messages=[MeterMessage(received(station, at), 1, None, "", readings)])
    for _ in range(2):
        found = power(station_id=station.pk, since=MIDNIGHT, until=END, width=Width.QUARTER)
        assert found == [(MIDNIGHT, 6004.5, 6009.0)]
        roll_up(now=END)


def test_days_are_those_of_the_stations_zone():
    station = make_station(time_zone="Europe/Berlin")  # summer time begins on March 29
    zone = ZoneInfo("Europe/Berlin")
    begin = datetime(2026, 3, 27, tzinfo=zone).astimezone(UTC)
    store(station, *(Sample(begin + timedelta(hours=hour), 10.0 * hour) for hour in range(96)))
    for _ in range(2):
        found = station_days_energy(station, begin.astimezone(zone).date(), END.date())
        assert [each.energy_wh for each in found] == [230.0, 240.0, 230.0, 240.0, 10.0]
        roll_up(now=END + DAY)
    month = station_month_energy(station, 2026, 3)
    assert (len(month), sum(each.energy_wh for each in month)) == (31, 950.0)


def test_command_says_what_it_did(station, capsys):
    store(station, Sample(MIDNIGHT, 1.0))
    call_command("rollup")
    assert QuarterRollup.objects.count() == 1
    assert capsys.readouterr().out.endswith(
        "1 rows of 15 minutes, 1 of a day, 0 quarter-hours with late samples again.\n"
    )


# Any samples, in any order

VALUES = st.one_of(
    st.none(),
    st.sampled_from([0.0, -5.0, 1000.0, float("nan"), float("inf"), 1e16]),
    st.floats(-100, 100_000).map(lambda value: round(value, 2)),
)
SAMPLES = st.builds(
    Sample,
    st.integers(-60, 3 * 1440).map(lambda minute: MIDNIGHT + timedelta(minutes=minute)),
    VALUES,
    st.sampled_from([0, 1, 2]),
    st.sampled_from(["Outlet", "Inlet"]),
    st.sampled_from(["", "L1", "L2", "N"]),
    st.sampled_from(["Sample.Periodic", "Transaction.Begin"]),
    st.sampled_from(["Wh", "kWh"]),
)
BATCHES = st.lists(st.tuples(st.lists(SAMPLES, max_size=12), st.integers(0, 90), st.booleans()), max_size=8)


@pytest.mark.django_db(transaction=True)
@given(batches=BATCHES, since_h=st.integers(0, 30), hours=st.integers(1, 45))
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_every_moment_equals_the_model(batches, since_h, hours):
    """Batches come hours after the samples; in between roll-ups run, and each time the answers are right."""
    RollupProgress.objects.all().delete()
    for table in (QuarterRollup, DayRollup, LateMark):
        table.objects.all().delete()
    MeterValue.objects.all().delete()
    station = make_station()
    since, until = MIDNIGHT + timedelta(hours=since_h), MIDNIGHT + timedelta(hours=since_h + hours)
    everything: list[Sample] = []
    now = MIDNIGHT
    for batch, later_h, is_rolled_up in batches:
        now = max([now + timedelta(hours=later_h), *(one.at for one in batch)])
        store(station, *batch, received_at=now)
        everything += batch
        if is_rolled_up:
            roll_up(now=now)
        asked = {"station_id": station.pk, "since": since, "until": until}
        expected = model.energy(everything, since=since, until=until, begin=lambda quarter: quarter)
        assert wh(energy(**asked, width=Width.QUARTER)) == expected
        expected = model.energy(everything, since=since, until=until, begin=lambda at: model.floor(at, DAY))
        assert wh(energy(**asked, width=Width.DAY)) == expected
    roll_up(now=now + timedelta(days=2))
    assert stored(QuarterRollup) == model.rollups(everything, QUARTER)
    assert stored(DayRollup) == model.rollups(everything, DAY)
    assert LateMark.objects.count() == 0
