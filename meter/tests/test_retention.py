"""What is kept how long: nothing goes before it is rolled up, and nothing of an open transaction."""

from datetime import UTC, timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import Min

from evcharging.db.timescale import is_hypertable
from meter.models import DayRollup, LateMark, MeterValue, QuarterRollup, RollupProgress
from meter.rollups.aggregates import Width, energy
from meter.rollups.roll_up import roll_up
from meter.services.retention import apply_retention
from stations.models import Station
from tests.support.factories import make_station, start, stop
from tests.support.rollup_model import Sample
from tests.support.samples import END, MIDNIGHT, store

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.storage]
LATER = MIDNIGHT + timedelta(days=12)


@pytest.fixture
def station(settings) -> Station:
    """A station with a sample every hour of three days, which are rolled up; samples are kept for ten days."""
    settings.METER_VALUES_RETENTION_DAYS = 10
    station = make_station()
    store(station, *(Sample(MIDNIGHT + timedelta(hours=hour), 10.0 * hour) for hour in range(72)))
    return station


def days_energy(station: Station) -> list[float]:
    found = energy(station_id=station.pk, since=MIDNIGHT, until=END, width=Width.DAY)
    return [each.energy_wh for each in found]


def test_samples_go_after_their_retention_and_what_they_come_to_stays(station):
    roll_up(now=LATER)
    before = days_energy(station)
    removed = apply_retention(now=LATER)
    assert [str(each) for each in removed] == [
        f"meter_values: {'2 chunks' if is_hypertable('meter_values') else '48 rows'} before 2026-03-30 00:00"
    ]
    assert MeterValue.objects.aggregate(Min("effective_at"))["effective_at__min"] == MIDNIGHT + timedelta(days=2)
    assert days_energy(station) == before == [230.0, 240.0, 240.0]


def test_dry_run_counts_and_removes_nothing(station):
    roll_up(now=LATER)
    asked = apply_retention(now=LATER, is_dry_run=True)
    assert MeterValue.objects.count() == 72
    assert apply_retention(now=LATER) == asked


def test_samples_stay_until_they_are_rolled_up(station):
    assert apply_retention(now=LATER) == []
    roll_up(now=MIDNIGHT + timedelta(days=1, hours=20))
    apply_retention(now=LATER)
    assert MeterValue.objects.count() == 48


def test_samples_stay_until_late_ones_are_rolled_up(station):
    roll_up(now=LATER)
    store(station, Sample(MIDNIGHT + timedelta(minutes=5), 5.0), received_at=LATER)
    apply_retention(now=LATER)
    assert MeterValue.objects.count() == 73
    roll_up(now=LATER)
    apply_retention(now=LATER)
    assert MeterValue.objects.count() == 24


def test_samples_of_an_open_transaction_stay(station):
    with connection.cursor() as cursor:  # the id that chargers see is not the row's
        cursor.execute(
            "SELECT setval('transactions_transaction_id_seq', (SELECT max(id) + 5000 FROM stations_station))"
        )
    answer = start(station, at=MIDNIGHT + timedelta(days=1, hours=2))
    own = Sample(MIDNIGHT + timedelta(days=1, hours=2, minutes=1), 7.0)
    store(station, own, transaction_id=answer.transaction_id)
    roll_up(now=LATER)
    apply_retention(now=LATER)
    assert MeterValue.objects.filter(transaction__isnull=False).count() == 1
    stop(station, transaction_id=answer.transaction_id, at=MIDNIGHT + timedelta(days=1, hours=3))
    apply_retention(now=LATER)
    assert MeterValue.objects.count() == 24


def test_late_sample_whose_neighbours_are_gone_does_not_take_their_place(station):
    roll_up(now=LATER)
    apply_retention(now=LATER)
    before = days_energy(station)
    store(station, Sample(MIDNIGHT + timedelta(minutes=5), 5.0), received_at=LATER)
    roll_up(now=LATER)
    assert (days_energy(station), LateMark.objects.count()) == (before, 0)
    assert DayRollup.objects.order_by("bucket")[0].samples == 24


def test_days_serve_where_quarters_are_gone(station, settings):
    settings.METER_VALUES_RETENTION_DAYS = 0
    settings.ROLLUP_15M_RETENTION_DAYS = 10
    roll_up(now=LATER)
    apply_retention(now=LATER)
    progress = RollupProgress.objects.get()
    assert progress.quarters_from == MIDNIGHT + timedelta(days=2)
    if not is_hypertable("meter_rollup_15m"):  # whose chunks of 30 days go later
        assert QuarterRollup.objects.count() == 24
    assert days_energy(station) == [230.0, 240.0, 240.0]
    quarters = energy(station_id=station.pk, since=MIDNIGHT, until=END, width=Width.QUARTER)
    assert (len(quarters), quarters[0].begins_at) == (24, progress.quarters_from)


def test_late_sample_counts_for_its_day_where_quarters_are_gone(station, settings):
    settings.METER_VALUES_RETENTION_DAYS = 0
    settings.ROLLUP_15M_RETENTION_DAYS = 10
    roll_up(now=LATER)
    apply_retention(now=LATER)
    store(station, Sample(MIDNIGHT + timedelta(hours=23, minutes=59), 239.0), received_at=LATER)
    roll_up(now=LATER)
    assert days_energy(station) == [239.0, 231.0, 240.0]


def test_days_go_after_theirs(station, settings):
    settings.ROLLUP_DAY_RETENTION_DAYS = 11
    roll_up(now=LATER)
    apply_retention(now=LATER)
    assert DayRollup.objects.order_by("bucket").values_list("bucket", flat=True)[0] == MIDNIGHT + timedelta(days=1)


def test_nothing_goes_by_default(station, settings, capsys):
    settings.METER_VALUES_RETENTION_DAYS = 0
    roll_up(now=LATER)
    call_command("apply_retention")
    assert (MeterValue.objects.count(), capsys.readouterr().out) == (
        72, "Nothing to delete: no retention is set, or nothing is rolled up yet.\n",
    )  # fmt: skip


def test_run_that_is_out_of_time_goes_on_in_the_next(station):
    roll_up(now=LATER)
    apply_retention(now=LATER, limit_s=0)
    if not is_hypertable("meter_values"):  # whose chunks go in one statement
        assert MeterValue.objects.count() == 72
    apply_retention(now=LATER)
    assert MeterValue.objects.count() == 24


def test_command_says_what_goes(station, capsys):
    call_command("rollup")
    capsys.readouterr()
    call_command("apply_retention", "--dry-run")
    assert capsys.readouterr().out.startswith("would delete meter_values: ")
    call_command("apply_retention")
    assert capsys.readouterr().out.startswith("deleted meter_values: ")
    assert MeterValue.objects.count() == 0
    assert RollupProgress.objects.get().samples_from.tzinfo == UTC
