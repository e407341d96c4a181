"""The index of samples is rebuilt where it has grown loose, and loses nothing by it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection

from evcharging.db.advisory_locks import AdvisoryLock
from evcharging.db.timescale import is_hypertable
from meter.models import MeterValue, Series
from meter.services import reindexing
from meter.services.reindexing import reindex_samples
from tests.support.factories import make_station

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.storage]
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
LATER = BEGIN + timedelta(days=9)
SERIES, INSTANTS = 40, 400


@pytest.fixture(params=["", "a-reference-of-thirty-characters"])
def grown(request, monkeypatch) -> Iterator[str]:
    """Samples of many series, stored in the order of time, as a fleet sends them; return their table."""
    monkeypatch.setattr(reindexing, "MIN_BYTES", 0)
    station = make_station()
    series = [Series(station=station, connector_id=number, measurand="Power") for number in range(SERIES)]
    ids = [each.pk for each in Series.objects.bulk_create(series)]
    with connection.cursor() as cursor:
        # Statistics that autovacuum takes half-way would stand, and the index would seem to be too large for ever.
        cursor.execute("ALTER TABLE meter_values SET (autovacuum_enabled = off)")
        for number in range(INSTANTS):
            at = BEGIN + timedelta(minutes=number)
            cursor.execute(
                "INSERT INTO meter_values (effective_at, value, series_id, transaction_ref, raw)"
                " SELECT %s, 1, series, %s, '' FROM unnest(%s) AS series",
                [at, request.param, ids],
            )
        table = "meter_values"
        if is_hypertable(table):
            cursor.execute("SELECT show_chunks('meter_values')::text LIMIT 1")
            (table,) = cursor.fetchone()
    yield table
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE meter_values RESET (autovacuum_enabled)")


def test_grown_index_is_rebuilt_once_and_is_the_same_index(grown):
    (done,) = reindex_samples(now=LATER)
    assert done.after < 0.7 * done.before
    assert reindex_samples(now=LATER) == []
    assert MeterValue.objects.count() == SERIES * INSTANTS
    sample = MeterValue.objects.values("effective_at", "value", "series_id", "transaction_ref").first()
    assert sample is not None
    with pytest.raises(IntegrityError):
        MeterValue.objects.create(**sample)


@pytest.mark.timescale
def test_chunk_that_still_grows_is_left_alone(grown):
    assert reindex_samples(now=BEGIN + timedelta(hours=12)) == []
    assert len(reindex_samples(now=LATER)) == 1


def test_what_a_run_that_was_cut_off_left_is_removed_and_nothing_else(grown):
    reindex_samples(now=LATER)
    columns = "(series_id, effective_at, value, transaction_ref)"
    with connection.cursor() as cursor:
        for name in ("sample_ccnew", "sample_ccold2", "sample_invalid", "valid_ccnew"):
            cursor.execute(f"CREATE UNIQUE INDEX {name} ON {grown} {columns}")
            cursor.execute(
                "UPDATE pg_index SET indisvalid = %s WHERE indexrelid = (SELECT oid FROM pg_class WHERE relname = %s)",
                [name == "valid_ccnew", name],
            )
        removed = reindex_samples(now=LATER)
        assert sorted(each.name.rpartition(".")[2] for each in removed) == ["sample_ccnew", "sample_ccold2"]
        cursor.execute("SELECT relname FROM pg_class WHERE relname ~ '^(sample|valid)_' ORDER BY relname")
        assert cursor.fetchall() == [("sample_invalid",), ("valid_ccnew",)]
        cursor.execute("SELECT schemaname FROM pg_indexes WHERE indexname = 'valid_ccnew'")
        (schema,) = cursor.fetchone()
        for name in ("sample_invalid", "valid_ccnew"):
            cursor.execute(f"DROP INDEX {schema}.{name}")


def test_second_run_leaves_it_to_the_first(grown, capsys):
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [AdvisoryLock.REINDEX_SAMPLES])
        assert reindex_samples(now=LATER) is None
        call_command("reindex_samples")
        assert capsys.readouterr().out == "Another process is rebuilding it.\n"
        other.execute("SELECT pg_advisory_unlock(%s)", [AdvisoryLock.REINDEX_SAMPLES])
    assert len(reindex_samples(now=LATER)) == 1


def test_command_says_what_it_did(grown, capsys):
    call_command("reindex_samples")
    assert "MiB" in capsys.readouterr().out
    call_command("reindex_samples")
    assert capsys.readouterr().out == "No index is bloated.\n"
