"""Policies of TimescaleDB, where the edition has them."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection

from evcharging.jobs.storage import apply_policies
from meter.models import MeterValue
from meter.rollups.aggregates import Width, energy
from meter.rollups.roll_up import roll_up
from meter.services.retention import apply_retention
from meter.storage import DAYS_VIEW, QUARTERS_VIEW, refresh_continuous_aggregates
from tests.support import rollup_model as model
from tests.support.factories import make_station
from tests.support.rollup_model import Sample
from tests.support.samples import END, MIDNIGHT, store

LATER = MIDNIGHT + timedelta(days=12)


def rows(statement: str, *values: object) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


@pytest.mark.django_db
@pytest.mark.storage
def test_policies_are_applied_in_every_edition_and_what_lacks_is_one_line(capsys):
    call_command("apply_storage_policies")
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "Storage policies match the settings."
    assert all("no compression" in line for line in lines[:-1])
    assert apply_policies() == lines[:-1]


@pytest.mark.django_db
@pytest.mark.timescale
def test_chunks_span_what_the_settings_say(settings):
    settings.METER_CHUNK_HOURS = 6
    apply_policies()
    found = rows(
        "SELECT time_interval FROM timescaledb_information.dimensions WHERE hypertable_name = %s", "meter_values"
    )
    assert found == [(timedelta(hours=6),)]


# The Community edition: refreshing and compressing run outside of transactions.


@pytest.fixture
def community(transactional_db):
    """Policies and continuous aggregates, gone after the test."""
    apply_policies()
    yield
    with connection.cursor() as cursor:
        for view in (DAYS_VIEW, QUARTERS_VIEW):
            cursor.execute(f"DROP MATERIALIZED VIEW IF EXISTS {view}")
        for table in ("meter_values", "status_notifications"):
            cursor.execute(f"SELECT remove_compression_policy('{table}', if_exists => true)")
            cursor.execute(f"SELECT remove_retention_policy('{table}', if_exists => true)")


def jobs() -> list[tuple]:
    return rows(
        "SELECT proc_name, job_id, config FROM timescaledb_information.jobs WHERE job_id >= 1000 ORDER BY job_id"
    )


@pytest.mark.timescale_community
def test_policies_applied_twice_leave_their_jobs_alone(community, settings):
    before = jobs()
    apply_policies()
    assert jobs() == before
    assert sorted(name for name, _, _ in before) == [
        "policy_compression", "policy_compression", "policy_refresh_continuous_aggregate",
        "policy_refresh_continuous_aggregate",
    ]  # fmt: skip
    settings.STATUS_RETENTION_DAYS = 100
    settings.COMPRESS_AFTER_DAYS = 0
    settings.METER_VALUES_RETENTION_DAYS = 30
    apply_policies()
    assert sorted(name for name, _, _ in jobs()) == [
        "policy_refresh_continuous_aggregate", "policy_refresh_continuous_aggregate", "policy_retention",
    ]  # fmt: skip


@pytest.mark.timescale_community
@pytest.mark.parametrize(("view", "width"), [(QUARTERS_VIEW, model.QUARTER), (DAYS_VIEW, model.DAY)])
def test_continuous_aggregates_equal_the_model(community, view, width):
    values = [None, float("nan"), 5.0, -3.0, 1e16, 7.25]
    samples = [
        Sample(MIDNIGHT + timedelta(minutes=7 * number), values[number % 6], context=f"C{number % 2}")
        for number in range(400)
    ]
    store(make_station(), *samples)
    for _ in range(2):  # out of the samples, then materialised
        found = {
            ((connector_id, location, phase, context, unit), bucket): model.Expected(*rest)
            for connector_id, location, phase, context, unit, bucket, *rest in rows(
                f"""
                SELECT connector_id, location, phase, context, unit, bucket, first_at, last_at, total, lowest, highest,
                       first_value, last_value, v.samples
                FROM {view} v JOIN meter_series s ON s.id = v.series_id
                """
            )
        }
        assert found == model.rollups(samples, width)
        refresh_continuous_aggregates(since=None, until=END, now=LATER)


@pytest.mark.timescale_community
def test_late_samples_count_before_and_after_they_are_refreshed(community):
    station = make_station()
    store(station, *(Sample(MIDNIGHT + timedelta(hours=hour), 10.0 * hour) for hour in range(72)))
    refresh_continuous_aggregates(since=None, until=END, now=LATER)
    store(station, Sample(MIDNIGHT + timedelta(hours=5, minutes=5), 59.0), received_at=LATER)
    for late in (1, 0):
        found = energy(station_id=station.pk, since=MIDNIGHT, until=END, width=Width.QUARTER)
        assert sum(each.energy_wh for each in found if each.begins_at <= MIDNIGHT + timedelta(hours=5)) == 59.0
        assert roll_up(now=LATER).late == late


@pytest.mark.timescale_community
def test_dropped_samples_stay_rolled_up(community, settings):
    settings.METER_VALUES_RETENTION_DAYS = 10
    station = make_station()
    store(station, *(Sample(MIDNIGHT + timedelta(hours=hour), 10.0 * hour) for hour in range(72)))
    apply_retention(now=LATER)
    assert MeterValue.objects.count() == 24
    found = energy(station_id=station.pk, since=MIDNIGHT, until=END, width=Width.DAY)
    assert [each.energy_wh for each in found] == [230.0, 240.0, 240.0]


@pytest.mark.timescale_community
def test_samples_in_compressed_chunks_are_found_when_they_come_again(community):
    station = make_station()
    samples = [Sample(MIDNIGHT + timedelta(minutes=minute), float(minute)) for minute in range(100)]
    store(station, *samples, Sample(MIDNIGHT, None))
    assert len(rows("SELECT compress_chunk(show_chunks('meter_values'))")) == 1
    store(station, *samples, Sample(MIDNIGHT, None), received_at=LATER)
    assert MeterValue.objects.count() == 101
