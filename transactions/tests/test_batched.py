"""The fast paths of starts and stops: they store what the general path would, and leave the rest to it."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.models import Connector
from id_tags.models import IdTagGroup
from stations.models import Station
from tests.support.commanding import request
from tests.support.factories import (
    NOON,
    make_id_tag,
    make_station,
    reading,
    received,
    report_start,
    start,
    start_report,
    stop,
    stop_report,
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
from transactions.services.stop import stop_transaction
from transactions.signals import transactions_stopped
from transactions.types import StartAnswer, StartMessage, StopMessage, Stopped

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(hours=2)


def make_ready_stations(count: int) -> list[Station]:
    """Stations with a known connector 1, and each an accepted tag of its own name."""
    stations = [make_station() for _ in range(count)]
    Connector.objects.bulk_create(Connector(station=station, connector_id=1) for station in stations)
    for station in stations:
        make_id_tag(station.identity)
    return stations


def start_message(
    station: Station, *, drift: float | None = None, is_accepted: bool = True, **fields: Any
) -> StartMessage:
    fields = {"at": NOON, "id_tag": station.identity} | fields
    epoch = fields.pop("epoch", station.connection_epoch)
    received_at = fields.pop("received_at", fields["at"] or NOON)
    came = received(station, received_at, epoch=epoch, drift=drift, is_accepted=is_accepted)
    return StartMessage(came, start_report(**fields))


def stop_message(
    station: Station,
    transaction_id: int | None,
    *,
    drift: float | None = None,
    is_accepted: bool = True,
    **fields: Any,
) -> StopMessage:
    fields = {"at": LATER} | fields
    epoch = fields.pop("epoch", station.connection_epoch)
    report = stop_report(transaction_id=transaction_id, **fields)
    came = received(station, fields["at"] or LATER, epoch=epoch, drift=drift, is_accepted=is_accepted)
    return StopMessage(came, report, {})


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


# The same sessions on both paths


moments = st.integers(0, 3).map(lambda minutes: NOON + timedelta(minutes=minutes))
starts = st.fixed_dictionaries(
    {
        "id_tag": st.sampled_from(["one", "two", "any", "nobody"]),
        "at": moments,
        "meter_start": st.sampled_from([Decimal(0), Decimal(1000), Decimal("5000.25")]),
        "reservation_id": st.sampled_from([None, 0, 12]),
    }
)
stops = st.fixed_dictionaries(
    {
        "id_tag": st.sampled_from([None, "one", "nobody"]),
        "at": moments.map(lambda at: at + timedelta(hours=1)),
        "meter_stop": st.sampled_from([None, Decimal(1000), Decimal("9000.5")]),
        "reason": st.sampled_from(["Local", "Remote"]),
    }
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sessions=st.lists(
        st.tuples(st.integers(1, 2), starts, st.none() | moments, st.none() | stops), min_size=1, max_size=5
    )
)
def test_rows_and_answers_are_those_of_the_general_path(
    sessions: list[tuple[int, dict[str, Any], datetime | None, dict[str, Any] | None]],
) -> None:
    def told(*, by_batch: bool) -> list[object]:
        station = make_station()
        tags = {name: f"{station.identity}-{name}" for name in ("one", "two", "any", "nobody")}
        make_id_tag(tags["one"])
        make_id_tag(tags["two"], max_active_transactions=2)
        make_id_tag(tags["any"], max_active_transactions=0)
        Connector.objects.bulk_create(Connector(station=station, connector_id=number) for number in (1, 2))
        answers: list[Any] = []
        for connector_id, begin, read_at, end in sessions:
            start_ = start_message(station, connector_id=connector_id, **(begin | {"id_tag": tags[begin["id_tag"]]}))
            answer = record_starts(messages=[start_])[0] if by_batch else None
            started = answer or start_transaction(**start_._asdict())
            answers.append((started.authorization, started.is_resend, started.is_cacheable))
            if read_at is not None:
                pk = transaction_of(started).pk
                value = RunningValue(pk, True, read_at, 3000.125, read_at, 11.0, read_at, None, None)
                update_running_values(values=[value])
            if end is not None:
                tag = None if end["id_tag"] is None else tags[end["id_tag"]]
                stop_ = stop_message(
                    station, started.transaction_id, content_hash=repr(end).encode()[:16], **(end | {"id_tag": tag})
                )
                halted = (record_stops(messages=[stop_])[0] if by_batch else None) or stop_transaction(
                    **stop_._asdict()
                )
                answers.append(halted.authorization)
        rows = Transaction.objects.filter(station=station).order_by("pk").select_related("connector")
        assert [row.ref for row in rows] == [str(row.transaction_id) for row in rows]
        marks = [sorted(row.marks) for row in rows]
        ignored = {
            "id",
            "marks",
            "transaction_id",
            "ref",
            "station",
            "connector",
            "tag",
            "id_tag",
            "stop_id_tag",
            "id_tag_folded",
        }
        fields = [field.attname for field in Transaction._meta.concrete_fields if field.name not in ignored]
        suffixes = [(row.id_tag.rpartition("-")[2], row.stop_id_tag.rpartition("-")[2]) for row in rows]
        registers = list(station.connectors.order_by("connector_id").values_list("last_meter_stop_wh", flat=True))
        return [answers, suffixes, registers, marks, *([getattr(row, name) for name in fields] for row in rows)]

    assert told(by_batch=True) == told(by_batch=False)


@pytest.mark.django_db(transaction=True)
def test_one_tag_at_many_stations_at_once_charges_once():
    make_id_tag("SHARED")
    stations = make_ready_stations(12)
    infos: list[dict[str, str]] = []

    def start_by_itself(message: StartMessage) -> StartAnswer:
        return start_transaction(**message._asdict())

    def run(report: Callable[[StartMessage], StartAnswer], share: list[Station]) -> None:
        for station in share:
            infos.append(report(start_message(station, id_tag="SHARED")).authorization)
        connection.close()

    threads = [
        threading.Thread(target=run, args=(report_start if number % 2 else start_by_itself, stations[number::4]))
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(info["status"] for info in infos) == ["Accepted"] + ["ConcurrentTx"] * 11
