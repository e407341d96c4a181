"""manage.py reconcile: what fits by now is adopted, what is silent is closed, and what does not add up is told."""

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection, connections
from django.db.models import QuerySet
from django.utils import timezone

from connectors.models import Connector
from meter.models import MeterValue
from meter.services.readings import MeterMessage, record_readings
from stations.models import Station
from tests.support.factories import NOON, make_id_tag, make_station, reading, start, stop, transaction_of
from transactions.invariants import INVARIANTS, broken_invariants
from transactions.models import Mark, OrphanKind, OrphanMessage, Transaction
from transactions.services.closing import close_transaction
from transactions.services.orphans import dismiss_orphan
from transactions.services.reconciling import adopt_fitting_orphans, fitting_orphans

LATER = NOON + timedelta(hours=20)


@pytest.fixture
def station(db: None) -> Station:
    make_id_tag("TAG", max_active_transactions=0)
    return make_station("CP-A")


def run(*options: str) -> tuple[int, list[str]]:
    """Reconcile and return the exit code and what is said."""
    out = StringIO()
    try:
        call_command("reconcile", *options, stdout=out)
    except SystemExit as leaving:
        return leaving.code, out.getvalue().splitlines()
    return 0, out.getvalue().splitlines()


def recent(minutes_ago: int):
    return timezone.now() - timedelta(minutes=minutes_ago)


def orphan_stop(station: Station, **fields) -> OrphanMessage:
    stop(station, **({"transaction_ref": "-1", "content_hash": b"o" * 16} | fields))
    return OrphanMessage.objects.get(kind=OrphanKind.STOP)


def two_open(station: Station, at=NOON) -> list[Transaction]:
    return [transaction_of(start(station, connector_id=number, at=at)) for number in (1, 2)]


def meter_values(station: Station, *minutes: int, connector_id: int = 0, ref: str = "0", at=NOON) -> None:
    """Samples that name no usable transaction, of the main meter unless said."""
    readings = [reading(1500.0, reported_at=at + timedelta(minutes=each)) for each in minutes]
    message = MeterMessage(station.pk, 1, connector_id, None, ref, readings, at + timedelta(minutes=minutes[-1]), None)
    record_readings(messages=[message])


# Stops


def test_stop_that_fits_one_by_now_is_adopted(station):
    first, second = two_open(station)
    orphan = orphan_stop(station)
    stop(station, transaction_id=second.transaction_id)
    assert adopt_fitting_orphans(now=LATER) == [(orphan.pk, first.transaction_id)]
    first.refresh_from_db()
    orphan.refresh_from_db()
    assert (first.closing, first.meter_stop, first.energy_wh, first.marks) == (
        "reported", 6000, 5000, [Mark.ORPHAN_STOP],
    )  # fmt: skip
    assert (orphan.state, orphan.transaction, orphan.resolved_by, orphan.resolved_at) == ("adopted", first, "", LATER)
    assert Connector.objects.get(pk=first.connector_id).last_meter_stop_wh == 6000


def test_second_run_changes_nothing(station):
    _, second = two_open(station)
    orphan_stop(station)
    stop(station, transaction_id=second.transaction_id)
    adopt_fitting_orphans(now=LATER)
    before = list(Transaction.objects.order_by("pk").values()), list(OrphanMessage.objects.values())
    assert adopt_fitting_orphans(now=LATER) == []
    assert (list(Transaction.objects.order_by("pk").values()), list(OrphanMessage.objects.values())) == before


def test_stop_that_still_fits_two_waits(station):
    two_open(station)
    orphan_stop(station)
    assert (adopt_fitting_orphans(now=LATER), Transaction.objects.open().count()) == ([], 2)


@pytest.mark.parametrize("fields", [{"id_tag": "OTHER"}, {"meter_stop": 500}, {"at": NOON - timedelta(hours=1)}])
def test_stop_that_tag_register_or_time_forbids_waits(station, fields):
    orphan_stop(station, **fields)
    start(station)
    assert adopt_fitting_orphans(now=LATER) == []


def test_stop_of_another_station_waits(station):
    orphan_stop(make_station())
    start(station)
    assert adopt_fitting_orphans(now=LATER) == []


def test_stop_whose_start_came_later_is_adopted(station):
    orphan = orphan_stop(station)
    row = transaction_of(start(station))
    assert fitting_orphans() == [(orphan.pk, row.transaction_id)]
    assert adopt_fitting_orphans(now=LATER) == [(orphan.pk, row.transaction_id)]


def test_stop_without_a_credible_time_marks_its_transaction(station):
    orphan_stop(station, at=None, received_at=NOON + timedelta(minutes=30))
    row = transaction_of(start(station))
    adopt_fitting_orphans(now=LATER)
    row.refresh_from_db()
    assert row.marks == [Mark.CLOCK_UNSET, Mark.ORPHAN_STOP]


def test_stop_replaces_the_estimate_of_its_transaction(station):
    orphan_stop(station)
    row = transaction_of(start(station))
    close_transaction(pk=row.pk, closed_by="me", note="x", now=LATER)
    adopt_fitting_orphans(now=LATER)
    row.refresh_from_db()
    assert (row.closing, row.closed_by, row.marks) == ("reported", "me", [Mark.ORPHAN_STOP])


def test_of_two_stops_one_is_adopted_and_the_dry_run_says_so(station):
    for number, minute in enumerate((30, 40)):
        stop(
            station,
            transaction_ref="-1",
            at=NOON + timedelta(minutes=minute),
            content_hash=bytes([number]) * 16,
        )
    row = transaction_of(start(station))
    expected = fitting_orphans()
    assert len(expected) == 1
    assert adopt_fitting_orphans(now=LATER) == expected
    row.refresh_from_db()
    assert row.stopped_at == NOON + timedelta(minutes=30)
    assert OrphanMessage.objects.filter(state="waiting").count() == 1


def test_dismissed_message_stays_dismissed(station):
    orphan = orphan_stop(station)
    dismiss_orphan(orphan_id=orphan.pk, resolved_by="me", note="x", now=NOON)
    start(station)
    assert adopt_fitting_orphans(now=LATER) == []


# Meter values


def test_meter_values_that_fit_one_by_now_are_adopted(station):
    first, second = two_open(station)
    meter_values(station, 40, 50)
    orphan = OrphanMessage.objects.get()
    stop(station, transaction_id=second.transaction_id)  # at 12:30
    assert adopt_fitting_orphans(now=LATER) == [(orphan.pk, first.transaction_id)]
    assert set(MeterValue.objects.values_list("transaction_id", flat=True)) == {first.pk}
    assert adopt_fitting_orphans(now=LATER) == []


def test_message_that_the_database_refuses_waits_and_others_do_not(station, monkeypatch, caplog):
    for connector_id in (1, 2):
        meter_values(station, 5, connector_id=connector_id)
        start(station, connector_id=connector_id, received_at=LATER)
    refused, other = OrphanMessage.objects.order_by("pk")
    update = QuerySet.update

    def refuse(queryset, **values):
        if queryset.model is MeterValue and values["transaction_id"] != transaction_on(2).pk:
            raise OperationalError("tuple decompression limit exceeded by operation")
        return update(queryset, **values)

    monkeypatch.setattr(QuerySet, "update", refuse)
    found = adopt_fitting_orphans(now=LATER)
    assert [each.orphan_id for each in found] == [other.pk]
    assert f"message {refused.pk} waits on" in caplog.text
    refused.refresh_from_db()
    assert (refused.state, MeterValue.objects.filter(transaction=None).count()) == ("waiting", 1)


def transaction_on(connector_id: int) -> Transaction:
    return Transaction.objects.get(connector__connector_id=connector_id)


def test_meter_values_of_a_day_with_two_sessions_wait(station):
    meter_values(station, 10)
    meter_values(station, 50)
    first = transaction_of(start(station))
    stop(station, transaction_id=first.transaction_id)
    start(station, at=NOON + timedelta(minutes=45))
    assert adopt_fitting_orphans(now=LATER) == []


def test_meter_values_that_outlast_their_transaction_wait(station):
    meter_values(station, 10, 50)
    first = transaction_of(start(station))
    stop(station, transaction_id=first.transaction_id)
    assert adopt_fitting_orphans(now=LATER) == []


def test_meter_values_after_an_adoption_wait_anew_and_their_resends_do_not(station):
    meter_values(station, 10)
    first = transaction_of(start(station))
    adopt_fitting_orphans(now=LATER)
    start(station, connector_id=2)
    meter_values(station, 10)
    assert OrphanMessage.objects.get().state == "adopted"
    meter_values(station, 20)
    orphan = OrphanMessage.objects.get()
    assert (orphan.state, orphan.transaction, orphan.resolved_at) == ("waiting", None, None)
    assert (orphan.effective_at, orphan.last_effective_at) == (NOON + timedelta(minutes=20),) * 2
    stop(station, transaction_id=first.transaction_id, at=NOON + timedelta(minutes=15))
    (adopted,) = adopt_fitting_orphans(now=LATER)
    assert adopted.transaction_id != first.transaction_id
    assert MeterValue.objects.filter(transaction=first.pk).count() == 1


# The command


def test_nothing_to_do_is_said_and_is_no_error(station):
    start(station, at=recent(90))
    assert run() == (
        0,
        [
            "0  silent transactions closed as of their last reading",
            "0  waiting messages adopted by the one transaction they fit",
            "0  stops waiting for review",
            "0  days of meter values waiting for review",
        ],
    )


def test_silent_transactions_are_closed(station):
    row = transaction_of(start(station))
    assert run("--dry-run") == (
        0,
        [
            "1  silent transactions would be closed as of their last reading",
            "0  waiting messages would be adopted by the one transaction they fit",
            "0  stops waiting for review",
            "0  days of meter values waiting for review",
        ],
    )
    assert transaction_of(start(station)).is_open
    code, lines = run()
    row.refresh_from_db()
    assert (code, lines[0][:2], row.closing, row.estimate_cause) == (0, "1 ", "estimated", "stale")


def test_dry_run_changes_nothing_and_says_what_would_happen(station):
    orphan_stop(station, at=recent(30))
    row = transaction_of(start(station, at=recent(60)))
    code, lines = run("--dry-run")
    assert (code, lines[1]) == (0, "1  waiting messages would be adopted by the one transaction they fit")
    row.refresh_from_db()
    assert (row.is_open, OrphanMessage.objects.get().state) == (True, "waiting")
    assert run()[1][1] == "1  waiting messages adopted by the one transaction they fit"


def test_what_waits_for_staff_is_counted_and_exits_with_1(station):
    orphan_stop(station)
    meter_values(station, 10)
    code, lines = run()
    assert code == 1
    assert lines[2:] == [
        "1  stops waiting for review",
        "1  days of meter values waiting for review",
        "Staff should look at this.",
    ]


# What does not add up


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
            r"CP-A StopTransaction, reported id -1",
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
    assert run()[0] == 0
    break_it(row)
    code, lines = run()
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


# Beside a running server


def at_once(*works: Callable[[], object]) -> None:
    """Run functions at once, each with a database connection of its own, and raise what one of them raised."""
    barrier = threading.Barrier(len(works))
    errors: list[BaseException] = []

    def run_one(work: Callable[[], object]) -> None:
        try:
            barrier.wait()
            work()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run_one, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.mark.django_db(transaction=True)
def test_stop_and_reconcile_at_once_end_a_transaction_once():
    """Two runs beside the transaction's own stop, again and again: one of them ends it, and nothing deadlocks."""
    make_id_tag("TAG", max_active_transactions=0)
    for _ in range(25):
        station = make_station()
        orphan_of = {"transaction_ref": "-1", "content_hash": b"o" * 16, "meter_stop": 5000}
        stop(station, **orphan_of)
        row = transaction_of(start(station))
        at_once(
            lambda station=station, row=row: stop(station, transaction_id=row.transaction_id),
            lambda: adopt_fitting_orphans(now=LATER),
            lambda: adopt_fitting_orphans(now=LATER),
            lambda station=station: start(station, at=NOON + timedelta(hours=1), meter_start=6000),
        )
        row.refresh_from_db()
        orphan = OrphanMessage.objects.get(station=station)
        assert row.closing == "reported"
        if orphan.state == "adopted":
            assert (row.meter_stop, row.stop_digest, row.stop_conflicts.count()) == (5000, orphan.digest, 1)
        else:
            assert (orphan.state, row.meter_stop, row.stop_conflicts.count()) == ("waiting", 6000, 0)
        OrphanMessage.objects.filter(pk=orphan.pk).delete()
    assert broken_invariants(now=NOON + timedelta(hours=2)) == []
