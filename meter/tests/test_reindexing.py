"""The index of samples is rebuilt where it has grown loose, and loses nothing by it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection

from evcharging.timescale import is_hypertable
from meter import reindexing
from meter.models import MeterValue, Series
from meter.reindexing import reindex_samples
from tests.factories import make_station

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.storage]
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
LATER = BEGIN + timedelta(days=9)
SERIES, INSTANTS = 40, 400


@pytest.fixture
def grown(monkeypatch) -> None:
    """Samples of many series, stored in the order of time, as a fleet sends them."""
    monkeypatch.setattr(reindexing, "MIN_BYTES", 0)
    station = make_station()
    ids = [
        Series.objects.create(station=station, connector_id=number, measurand="Power").pk for number in range(SERIES)
    ]
    with connection.cursor() as cursor:
        for number in range(INSTANTS):
            at = BEGIN + timedelta(minutes=number)
            cursor.execute(
                "INSERT INTO meter_values (effective_at, value, series_id, transaction_ref, raw)"
                " SELECT %s, 1, series, '', '' FROM unnest(%s) AS series",
                [at, ids],
            )


def test_grown_index_is_rebuilt_once_and_is_the_same_index(grown):
    (done,) = reindex_samples(now=LATER)
    assert done.before > reindexing.ROW_BYTES * SERIES * INSTANTS
    assert done.after < 0.7 * done.before
    assert reindex_samples(now=LATER) == []
    assert MeterValue.objects.count() == SERIES * INSTANTS
    sample = MeterValue.objects.values("effective_at", "value", "series_id").first()
    assert sample is not None
    with pytest.raises(IntegrityError):
        MeterValue.objects.create(**sample)


def test_chunk_that_still_grows_is_left_alone(grown):
    if is_hypertable("meter_values"):
        assert reindex_samples(now=BEGIN + timedelta(hours=12)) == []
    assert len(reindex_samples(now=LATER)) == 1


def test_what_a_run_that_was_cut_off_left_is_removed(grown):
    reindex_samples(now=LATER)
    with connection.cursor() as cursor:
        table = "meter_values"
        if is_hypertable(table):
            cursor.execute("SELECT show_chunks('meter_values')::text LIMIT 1")
            (table,) = cursor.fetchone()
        name = "meter_values_sample_unique_ccnew"
        cursor.execute(f"CREATE UNIQUE INDEX {name} ON {table} (series_id, effective_at, value, transaction_ref)")
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid::regclass::text ~ %s", [f"{name}$"])
        assert reindex_samples(now=LATER) == []
        cursor.execute("SELECT count(*) FROM pg_class WHERE relname = %s", [name])
        assert cursor.fetchone() == (0,)


def test_command_says_what_it_did(grown, capsys):
    call_command("reindex_samples")
    assert "MiB" in capsys.readouterr().out
    call_command("reindex_samples")
    assert capsys.readouterr().out == "Nothing takes much more room than it needs.\n"
