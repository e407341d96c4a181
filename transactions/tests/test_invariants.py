"""What does not add up is told by manage.py reconcile."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from connectors.models import Connector
from stations.models import Station
from tests.support.factories import make_id_tag, make_station, start, stop, transaction_of
from tests.support.reconciling import orphan_stop, recent, run_reconcile
from transactions.invariants import INVARIANTS, broken_invariants
from transactions.models import OrphanMessage, Transaction


@pytest.fixture
def station(db: None) -> Station:
    make_id_tag("TAG", max_active_transactions=0)
    return make_station("CP-A")


def spoil(sql: str, *parameters: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def _wrong_energy(row: Transaction) -> None:
    Transaction.objects.filter(pk=row.pk).update(energy_wh=4000)


def _wrong_register(row: Transaction) -> None:
    Connector.objects.update(last_meter_stop_wh=1)


def _older_open(row: Transaction) -> None:
    Transaction.objects.filter(pk=row.pk).update(closing="open", stopped_at=None, meter_stop=None)
    start(row.station, at=recent(-1), connector_id=2, meter_start=6000)
    Transaction.objects.exclude(pk=row.pk).update(
        connector=row.connector, closing="estimated", stopped_at=recent(-1), last_register_wh=None
    )


def _two_open(row: Transaction) -> None:
    spoil("DROP INDEX transactions_one_open_per_connector")
    start(row.station, at=row.started_at, connector_id=2)
    Transaction.objects.update(
        connector=row.connector, closing="open", stopped_at=None, meter_stop=None, last_register_wh=None
    )


def _backwards(row: Transaction) -> None:
    Transaction.objects.filter(pk=row.pk).update(stopped_at=row.started_at - timedelta(hours=1))


def _elsewhere(row: Transaction) -> None:
    Transaction.objects.filter(pk=row.pk).update(station=make_station("CP-B"))


def _adopted_by_nobody(row: Transaction) -> None:
    orphan_stop(row.station)
    OrphanMessage.objects.update(state="adopted", transaction=row)


def _sequence_fell_back(row: Transaction) -> None:
    spoil("SELECT setval('transactions_transaction_id_seq', %s)", row.transaction_id - 1)


@pytest.mark.parametrize(
    ("break_it", "title", "example"),
    [
        (
            _wrong_energy,
            "the energy is not the difference of the registers",
            r"CP-A transaction \d+: energy 4000 Wh, registers 1000 to 6000 Wh",
        ),
        (
            _wrong_register,
            "the connector remembers another register than its latest transaction ended with",
            r"CP-A connector 1: remembers 1 Wh, transaction \d+ ended with 6000 Wh",
        ),
        (_older_open, "open, though its connector has begun another", r"CP-A connector 1: transaction \d+ is open"),
        (_two_open, "open, though its connector has begun another", r"CP-A connector 1: transaction \d+ is open"),
        (_backwards, "ended before it began, without a mark that says so", r"CP-A transaction \d+"),
        (_elsewhere, "on a connector of another station", r"CP-B transaction \d+"),
        (
            _adopted_by_nobody,
            "an adopted message is with no transaction, or with one that has another stop",
            r"CP-A stop, reported id -1",
        ),
        (
            _sequence_fell_back,
            "the next transaction id has been given already",
            r"transaction \d+ is there, the next is \d+",
        ),
    ],
)
def test_what_does_not_add_up_is_named_and_exits_with_1(station, break_it, title, example):
    row = transaction_of(start(station, at=recent(60)))
    stop(station, transaction_id=row.transaction_id, at=recent(30))
    row.refresh_from_db()
    assert run_reconcile()[0] == 0
    break_it(row)
    code, lines = run_reconcile()
    assert code == 1
    assert f"1  {title}" in lines
    shown = lines.index(f"{title}:")
    assert re.fullmatch(f"  {example}", lines[shown + 1])


def test_open_transaction_of_a_station_that_is_away_is_named_where_it_could_not_be_closed(station):
    start(station)
    (finding,) = broken_invariants(now=timezone.now())
    assert finding == (
        "open, though its station has been away for longer than TX_STALE_H",
        1,
        [f"CP-A transaction {Transaction.objects.get().transaction_id}: the station was last seen never"],
    )


def test_all_invariants_have_a_title_of_their_own():
    assert len({invariant.title for invariant in INVARIANTS}) == len(INVARIANTS)
