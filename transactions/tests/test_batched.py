"""The fast paths of starts and stops: they store what the general path would, and leave the rest to it."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from connectors.models import Connector
from id_tags.models import IdTagGroup
from stations.models import Station
from tests.support.batched import LATER, make_ready_stations, start_message, stop_message
from tests.support.commanding import request
from tests.support.factories import (
    NOON,
    make_id_tag,
    make_station,
    reading,
    start,
    stop,
    transaction_of,
)
from transactions.models import Mark, Reservation, Transaction
from transactions.services.batched_starts import record_starts
from transactions.services.batched_stops import record_stops
from transactions.services.closing import close_transaction
from transactions.services.readings import (
    RunningValue,
    known_transactions,
    update_running_values,
)
from transactions.services.start import start_transaction
from transactions.signals import transactions_stopped
from transactions.types import Stopped

pytestmark = pytest.mark.django_db


def test_batch_of_starts_and_of_stops_runs_as_many_statements_as_one():
    def statements(stations: list[Station]) -> tuple[int, int]:
        with CaptureQueriesContext(connection) as started:
            answers = record_starts(messages=[start_message(station) for station in stations])
        assert [answer.authorization for answer in answers] == [{"status": "Accepted"}] * len(stations)
        with CaptureQueriesContext(connection) as stopped:
            stops = record_stops(
                messages=[
                    stop_message(station, answer.transaction_id, id_tag=station.identity)
                    for station, answer in zip(stations, answers, strict=True)
                ]
            )
        assert [stop.transaction_id for stop in stops] == [answer.transaction_id for answer in answers]
        return len(started), len(stopped)

    few, many = statements(make_ready_stations(1)), statements(make_ready_stations(30))
    assert few == many
    assert sum(many) <= 20
    assert set(Transaction.objects.values_list("closing", "energy_wh")) == {("reported", 5000.0)}


def test_answers_belong_to_their_messages():
    stations = make_ready_stations(5)
    messages = [start_message(station) for station in reversed(stations)]
    messages.insert(2, start_message(make_station()))
    answers = record_starts(messages=messages)
    assert answers[2] is None
    for message, answer in zip(messages, answers, strict=True):
        if answer is not None:
            row = transaction_of(answer)
            assert (row.station_id, row.id_tag) == (message.received.station_id, message.report.id_tag)


@pytest.mark.parametrize(
    "fields",
    [
        {"epoch": 0},
        {"is_accepted": False},
        {"drift": 90_000.0},
        {"connector_id": 0},
        {"connector_id": 2},
        {"at": None},
        {"at": NOON + timedelta(hours=1), "received_at": NOON},
        {"timestamp_raw": None},
        {"meter_start": None},
        {"id_tag": "NOBODY"},
        {"id_tag": ""},
        {"id_tag": "BLOCKED"},
        {"id_tag": "EXPIRED"},
        {"id_tag": "GROUPED"},
        {"id_tag": "BUSY"},
    ],
    ids=lambda fields: " ".join(f"{name}={value}" for name, value in fields.items()),
)
def test_start_that_needs_the_general_path_is_not_stored(fields):
    (station,) = make_ready_stations(1)
    group = IdTagGroup.objects.create(parent_id_tag="G", max_active_transactions=3)
    make_id_tag("BLOCKED", status="Blocked")
    make_id_tag("EXPIRED", expires_at=NOON)
    make_id_tag("GROUPED", group=group)
    make_id_tag("BUSY")
    start(make_station(), id_tag="BUSY", at=NOON - timedelta(hours=1))
    before = Transaction.objects.count()
    assert record_starts(messages=[start_message(station, **fields)]) == [None]
    assert Transaction.objects.count() == before


def test_start_on_a_connector_that_is_not_free_needs_the_general_path():
    running, stopped, again, free = make_ready_stations(4)
    make_id_tag("OTHER", max_active_transactions=0)
    record_starts(messages=[start_message(running, id_tag="OTHER", at=NOON + timedelta(seconds=1))])
    earlier = start(stopped, id_tag="OTHER", at=NOON - timedelta(hours=1))
    stop(stopped, transaction_id=earlier.transaction_id, at=NOON + timedelta(minutes=1))
    start(again, id_tag=again.identity)
    messages = [start_message(station) for station in (running, stopped, again, free)]
    assert [answer is not None for answer in record_starts(messages=messages)] == [False, False, False, True]


def test_superseding_starts_run_as_many_statements_as_one():
    def statements(stations: list[Station]) -> int:
        earlier = record_starts(messages=[start_message(station) for station in stations])
        assert None not in earlier
        with CaptureQueriesContext(connection) as superseding:
            answers = record_starts(messages=[start_message(station, at=LATER) for station in stations])
        assert [answer.authorization for answer in answers] == [{"status": "Accepted"}] * len(stations)
        return len(superseding)

    few, many = statements(make_ready_stations(1)), statements(make_ready_stations(30))
    assert few == many <= 15
    ended = Transaction.objects.exclude(closing="open")
    assert set(ended.values_list("closing", "estimate_cause", "stopped_at")) == {("estimated", "superseded", NOON)}
    assert (ended.count(), Transaction.objects.open().count()) == (31, 31)


def test_superseded_ends_with_its_last_register_or_where_the_next_begins():
    read, ahead, unread = make_ready_stations(3)
    earlier = record_starts(messages=[start_message(station) for station in (read, ahead, unread)])
    for answer, at in ((earlier[0], NOON + timedelta(minutes=20)), (earlier[1], LATER + timedelta(minutes=1))):
        row = transaction_of(answer)
        values = RunningValue(row.pk, True, at, 2500.0, at, 7000.0, at, None, None)
        update_running_values(values=[values])
    assert None not in record_starts(messages=[start_message(station, at=LATER) for station in (read, ahead, unread)])
    rows = [transaction_of(answer) for answer in earlier]
    assert [row.stopped_at for row in rows] == [NOON + timedelta(minutes=20), LATER, NOON]
    assert [row.stopped_at for row in rows] == [row.estimated_stopped_at for row in rows]
    assert [(row.estimated_energy_wh, row.energy_wh, row.power_w) for row in rows] == [
        (1500.0, 1500.0, None),
        (1500.0, 1500.0, None),
        (0.0, 0.0, None),
    ]
    assert {tuple(row.marks) for row in rows} == {(Mark.MISSING_STOP, Mark.SUPERSEDED)}


def test_superseded_transaction_of_the_same_tag_does_not_count_but_those_of_others_do():
    one, two, third = make_ready_stations(3)
    record_starts(messages=[start_message(one), start_message(two, id_tag=third.identity)])
    # At `third` its tag's transaction at `two` counts, though this very batch supersedes that.
    messages = [start_message(one, at=LATER), start_message(two, at=LATER), start_message(third, at=LATER)]
    answers = record_starts(messages=messages)
    assert [answer is not None for answer in answers] == [True, True, False]
    assert start_transaction(**messages[2]._asdict()).authorization == {"status": "Accepted"}


def test_start_that_needs_the_general_path_supersedes_nothing():
    (station,) = make_ready_stations(1)
    make_id_tag("BLOCKED", status="Blocked")
    (earlier,) = record_starts(messages=[start_message(station)])
    assert record_starts(messages=[start_message(station, id_tag="BLOCKED", at=LATER)]) == [None]
    assert transaction_of(earlier).is_open


@pytest.mark.parametrize("tag", ["known", "unknown"])
def test_committed_start_is_cached_in_its_process(tag, django_capture_on_commit_callbacks):
    """Or the first MeterValues of each transaction would send its whole batch the long way."""
    (station,) = make_ready_stations(1)
    with django_capture_on_commit_callbacks(execute=True):
        answer = start(station, id_tag=station.identity if tag == "known" else "NOBODY")
        assert (station.pk, answer.transaction_id) not in known_transactions
    assert known_transactions[station.pk, answer.transaction_id] == transaction_of(answer).pk
    known_transactions.clear()


def test_superseded_transactions_are_published_as_stopped(django_capture_on_commit_callbacks):
    told: list[Stopped] = []

    def hear(*, stopped: list[Stopped], **kwargs: Any) -> None:
        told.extend(stopped)

    (station,) = make_ready_stations(1)
    (earlier,) = record_starts(messages=[start_message(station)])
    transactions_stopped.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            record_starts(messages=[start_message(station, at=LATER)])
    finally:
        transactions_stopped.disconnect(hear)
    assert told == [Stopped(transaction_of(earlier).pk, station.pk, earlier.transaction_id)]


@pytest.mark.django_db(transaction=True)
def test_start_waits_for_the_lock_of_staff_who_close_what_it_would_supersede():
    (station,) = make_ready_stations(1)
    (earlier,) = record_starts(messages=[start_message(station)])
    row = transaction_of(earlier)
    answers: list[Any] = []

    def run() -> None:
        answers.extend(record_starts(messages=[start_message(station, at=LATER)]))
        connection.close()

    thread = threading.Thread(target=run)
    with transaction.atomic():
        close_transaction(pk=row.pk, closed_by="staff", note="stuck", now=LATER)
        thread.start()
        thread.join(0.5)
        assert answers == []
    thread.join(10)
    assert answers[0] is not None
    row.refresh_from_db()
    assert (row.estimate_cause, row.marks) == ("staff", [Mark.MISSING_STOP])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", ["start", "stop"])
def test_message_of_a_connection_that_is_being_replaced_waits_and_is_not_stored(what):
    (station,) = make_ready_stations(1)
    (running,) = record_starts(messages=[start_message(station)])
    answers: list[Any] = []

    def run() -> None:
        if what == "start":
            answers.extend(record_starts(messages=[start_message(station, at=LATER)]))
        else:
            answers.extend(record_stops(messages=[stop_message(station, running.transaction_id)]))
        connection.close()

    thread = threading.Thread(target=run)
    with transaction.atomic():
        # As connect_station() does.
        taken = Station.objects.select_for_update().get(pk=station.pk)
        Station.objects.filter(pk=station.pk).update(connection_epoch=taken.connection_epoch + 1)
        thread.start()
        thread.join(0.5)
        assert answers == []
    thread.join(10)
    assert answers == [None]
    assert transaction_of(running).is_open


@pytest.mark.parametrize("status", ["requested", "active"])
def test_start_with_a_held_reservation_needs_the_general_path(status):
    (station,) = make_ready_stations(1)
    payload = {"connectorId": 1, "expiryDate": "2030-01-01T00:00:00Z", "idTag": station.identity, "reservationId": 7}
    request(station, "ReserveNow", payload, waits_s=600)
    assert Reservation.objects.update(status=status) == 1
    assert record_starts(messages=[start_message(station)]) == [None]
    Reservation.objects.update(status="expired")
    assert record_starts(messages=[start_message(station, reservation_id=7)]) == [None]
    (answer,) = record_starts(messages=[start_message(station, reservation_id=8)])
    assert answer is not None


def test_second_start_of_a_tag_in_a_batch_needs_the_general_path_and_counts_the_first():
    one, two = make_ready_stations(2)
    messages = [start_message(one, id_tag=one.identity), start_message(two, id_tag=one.identity.lower())]
    first, second = record_starts(messages=messages)
    assert (first is not None, second) == (True, None)
    assert start_transaction(**messages[1]._asdict()).authorization == {"status": "ConcurrentTx"}


def test_tags_with_higher_limits_and_without_are_counted():
    stations = make_ready_stations(4)
    make_id_tag("TWO", max_active_transactions=2)
    answers = [record_starts(messages=[start_message(station, id_tag="TWO")])[0] for station in stations[:3]]
    assert [answer is not None for answer in answers] == [True, True, False]
    make_id_tag("ANY", max_active_transactions=0)
    start(make_station(), id_tag="ANY")
    assert record_starts(messages=[start_message(stations[3], id_tag="ANY")])[0] is not None


def test_silent_transaction_does_not_count():
    one, two = make_ready_stations(2)
    start(one, id_tag=two.identity, at=NOON - timedelta(hours=25))
    assert record_starts(messages=[start_message(two)])[0] is not None


def test_gap_to_the_previous_stop_is_marked():
    near, far = make_ready_stations(2)
    Connector.objects.filter(station=near).update(last_meter_stop_wh=1500)
    Connector.objects.filter(station=far).update(last_meter_stop_wh=9000)
    answers = record_starts(messages=[start_message(near), start_message(far)])
    assert [transaction_of(answer).marks for answer in answers] == [[], [Mark.METER_GAP]]


@pytest.mark.parametrize(
    "fields",
    [
        {"epoch": 0},
        {"is_accepted": False},
        {"drift": 90_000.0},
        {"at": None},
        {"at": NOON - timedelta(seconds=1)},
        {"meter_stop": None},
        {"meter_stop": 999},
        {"transaction_data": (reading(),)},
        {"id_tag": "NOBODY"},
    ],
    ids=lambda fields: " ".join(name for name in fields),
)
def test_stop_that_needs_the_general_path_is_not_stored(fields):
    (station,) = make_ready_stations(1)
    (answer,) = record_starts(messages=[start_message(station)])
    assert record_stops(messages=[stop_message(station, answer.transaction_id, **fields)]) == [None]
    assert transaction_of(answer).is_open


def test_stop_needs_the_general_path_unless_its_transaction_is_open_and_the_latest():
    one, two = make_ready_stations(2)
    (answer,) = record_starts(messages=[start_message(one)])
    transaction_id = answer.transaction_id
    assert record_stops(messages=[stop_message(two, transaction_id)]) == [None]
    assert record_stops(messages=[stop_message(one, None), stop_message(one, 2**31 - 1)]) == [None, None]
    message = stop_message(one, transaction_id)
    assert record_stops(messages=[message, message])[1] is None
    assert record_stops(messages=[message]) == [None]
    older = start(one, at=NOON - timedelta(hours=3), id_tag="OTHER")
    Transaction.objects.filter(pk=transaction_of(older).pk).update(closing="open", stopped_at=None)
    assert record_stops(messages=[stop_message(one, older.transaction_id)]) == [None]
