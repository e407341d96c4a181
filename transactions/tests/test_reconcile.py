"""manage.py reconcile: what fits by now is adopted, what is silent is closed, and what does not add up is told."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import OperationalError, connections
from django.db.models import QuerySet

from connectors.models import Connector
from meter.models import MeterValue
from meter.services.readings import MeterMessage, record_readings
from stations.models import Station
from tests.support.factories import NOON, make_id_tag, make_station, reading, received, start, stop, transaction_of
from tests.support.reconciling import orphan_stop, recent, run_reconcile
from transactions.invariants import broken_invariants
from transactions.models import Mark, OrphanMessage, Transaction
from transactions.services.closing import close_transaction
from transactions.services.orphans import dismiss_orphan
from transactions.services.reconciling import adopt_fitting_orphans, fitting_orphans

LATER = NOON + timedelta(hours=20)


@pytest.fixture
def station(db: None) -> Station:
    make_id_tag("TAG", max_active_transactions=0)
    return make_station("CP-A")


def two_open(station: Station, at=NOON) -> list[Transaction]:
    return [transaction_of(start(station, connector_id=number, at=at)) for number in (1, 2)]


def meter_values(station: Station, *minutes: int, connector_id: int = 0, ref: str = "0", at=NOON) -> None:
    """Samples that name no usable transaction, of the main meter unless said."""
    readings = [reading(1500.0, reported_at=at + timedelta(minutes=each)) for each in minutes]
    message = MeterMessage(received(station, at + timedelta(minutes=minutes[-1])), connector_id, None, ref, readings)
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
    assert run_reconcile() == (
        0,
        [
            "0  stale transactions closed at their last reading",
            "0  waiting messages adopted by the only transaction that fits",
            "0  stops waiting for review",
            "0  days of meter values waiting for review",
        ],
    )


def test_silent_transactions_are_closed(station):
    row = transaction_of(start(station))
    assert run_reconcile("--dry-run") == (
        0,
        [
            "1  stale transactions would be closed at their last reading",
            "0  waiting messages would be adopted by the only transaction that fits",
            "0  stops waiting for review",
            "0  days of meter values waiting for review",
        ],
    )
    assert transaction_of(start(station)).is_open
    code, lines = run_reconcile()
    row.refresh_from_db()
    assert (code, lines[0][:2], row.closing, row.estimate_cause) == (0, "1 ", "estimated", "stale")


def test_dry_run_changes_nothing_and_says_what_would_happen(station):
    orphan_stop(station, at=recent(30))
    row = transaction_of(start(station, at=recent(60)))
    code, lines = run_reconcile("--dry-run")
    assert (code, lines[1]) == (0, "1  waiting messages would be adopted by the only transaction that fits")
    row.refresh_from_db()
    assert (row.is_open, OrphanMessage.objects.get().state) == (True, "waiting")
    assert run_reconcile()[1][1] == "1  waiting messages adopted by the only transaction that fits"


def test_what_waits_for_staff_is_counted_and_exits_with_1(station):
    orphan_stop(station)
    meter_values(station, 10)
    code, lines = run_reconcile()
    assert code == 1
    assert lines[2:] == [
        "1  stops waiting for review",
        "1  days of meter values waiting for review",
        "There are findings for staff to review.",
    ]


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
