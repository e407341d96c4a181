"""What is written all day is the row alone: no index holds what changes, and pages have room for the next version."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connection

from connectors.services.statuses import StatusAt, apply_statuses
from stations.services.connection import touch_stations
from tests.support.factories import NOON, make_id_tag, make_station, start, transaction_of
from transactions.services.readings import RunningValue, update_running_values

pytestmark = pytest.mark.django_db
COUNTERS = "SELECT pg_stat_get_xact_tuples_updated(%s::regclass), pg_stat_get_xact_tuples_hot_updated(%s::regclass)"


def writes(table: str, write: Callable[[datetime], object]) -> tuple[int, int]:
    """How many rows the second of two writes updates, and how many of them without a word to any index."""
    counts = []
    with connection.cursor() as cursor:
        for minutes in (1, 2):
            write(NOON + timedelta(minutes=minutes))
            cursor.execute(COUNTERS, [table, table])
            counts.append(cursor.fetchone())
        cursor.execute("SELECT reloptions FROM pg_class WHERE oid = %s::regclass", [table])
        (options,) = cursor.fetchone()
    assert any(option.startswith("fillfactor=") for option in options)
    return counts[1][0] - counts[0][0], counts[1][1] - counts[0][1]


def test_readings_write_their_transaction_alone():
    row = transaction_of(start(make_station(), id_tag=make_id_tag().id_tag))

    def read(at: datetime) -> None:
        energy = 1000.0 + at.minute
        update_running_values(values=[RunningValue(row.pk, True, at, energy, at, 7000.0 + energy, at, 50.0, at)])

    assert writes("transactions_transaction", read) == (1, 1)
    row.refresh_from_db()
    assert row.energy_wh == 2.0


def test_signs_of_life_write_their_station_alone():
    station = make_station()
    epoch = station.connection_epoch
    assert writes("stations_station", lambda at: touch_stations(seen={station.pk: (epoch, at, 0.5)})) == (1, 1)


def test_statuses_write_their_connector_alone():
    station = make_station()

    def tell(at: datetime) -> None:
        words = ("Charging" if at.minute % 2 else "Faulted", "NoError", "", "", "")
        apply_statuses(statuses=[StatusAt(station.pk, 1, at, *words, at, at)])

    tell(NOON)
    assert writes("connectors_connector", tell) == (1, 1)
    assert station.connectors.get().status == "Faulted"
