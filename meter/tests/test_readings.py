"""Samples: stored once, in series, with the running values of their transaction."""

import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from meter.models import MeterValue, Series
from meter.services import readings as services
from meter.services.readings import MeterMessage, record_readings
from meter.services.series import SeriesKey, known_series, series_ids
from stations.models import Station
from tests.support.factories import NOON, make_id_tag, make_station, reading, received, start, stop, transaction_of
from transactions.models import Mark, OrphanMessage, Transaction
from transactions.services.orphans import adopt_orphan
from transactions.services.readings import known_transactions

pytestmark = [pytest.mark.django_db, pytest.mark.storage]


def know_series_of(messages: Sequence[MeterMessage]) -> None:
    """Have this process know the series, as it does once their first samples are committed."""
    keys = [
        SeriesKey(message.received.station_id, message.connector_id, *reading[1:7])
        for message in messages
        for reading in message.readings
    ]
    known_series.remember(series_ids(keys=keys))
    named = [message.transaction_id for message in messages if message.transaction_id is not None]
    rows = Transaction.objects.filter(transaction_id__in=named).values_list("station_id", "transaction_id", "pk")
    known_transactions.remember({(station_id, transaction_id): pk for station_id, transaction_id, pk in rows})


@pytest.fixture(params=["new series", "known series"], autouse=True)
def _series(request, monkeypatch) -> Iterator[None]:
    """Every test goes both ways: known series and transactions make a batch one statement, or two."""

    def record_known(*, messages: Sequence[MeterMessage]) -> list[bool]:
        know_series_of(messages)
        return services.record_readings(messages=messages)

    if request.param == "known series":
        monkeypatch.setattr(sys.modules[__name__], "record_readings", record_known)
    yield
    known_series.clear()
    known_transactions.clear()


def message(station, *readings, connector_id=1, transaction_id=None, ref=None, received_at=NOON, drift=None):
    ref = ref if ref is not None else ("" if transaction_id is None else str(transaction_id))
    return MeterMessage(received(station, received_at, drift=drift), connector_id, transaction_id, ref, readings)


def test_readings_are_stored_with_their_words():
    station = make_station()
    assert record_readings(
        messages=[message(station, reading(), reading(230.5, measurand="Voltage", phase="L1", unit="V"))]
    )
    voltage = MeterValue.objects.select_related("series").get(series__measurand="Voltage")
    assert (voltage.value, voltage.effective_at, voltage.reported_at, voltage.raw) == (230.5, NOON, None, "")
    assert (voltage.series.phase, voltage.series.unit, voltage.series.connector_id) == ("L1", "V", 1)
    assert (voltage.transaction, voltage.transaction_ref) == (None, "")


def test_readings_sent_again_are_there_once():
    station = make_station()
    batch = [message(station, reading(), reading(None, raw="1,5"), reading(None, raw="1,6"))]
    for _ in range(3):
        assert record_readings(messages=batch) == [True]
    assert set(MeterValue.objects.values_list("value", "raw")) == {(1500.0, ""), (None, "1,5"), (None, "1,6")}
    assert MeterValue.objects.count() == 3


def test_readings_twice_within_one_batch_are_there_once():
    station = make_station()
    record_readings(messages=[message(station, reading()), message(station, reading())])
    assert MeterValue.objects.count() == 1


def test_reading_with_another_value_at_the_same_instant_is_another():
    station = make_station()
    record_readings(messages=[message(station, reading(1.0)), message(station, reading(2.0))])
    assert MeterValue.objects.count() == 2


def test_reading_identity_includes_the_reported_transaction_id():
    station = make_station()
    record_readings(messages=[message(station, reading()), message(station, reading(), ref="-1")])
    assert MeterValue.objects.count() == 2


def test_reading_with_incredible_time_counts_from_receipt_and_keeps_its_time():
    station = make_station()
    reported_at = NOON - timedelta(days=9000)
    record_readings(messages=[message(station, reading(reported_at=reported_at))])
    row = MeterValue.objects.get()
    assert (row.effective_at, row.reported_at) == (NOON, reported_at)


def test_readings_of_a_superseded_connection_are_not_stored():
    old, other = make_station(), make_station()
    batch = [message(old, reading()), message(other, reading())]
    Station.objects.filter(pk=old.pk).update(connection_epoch=2)
    assert record_readings(messages=batch) == [False, True]
    assert MeterValue.objects.get().series.station == other


def test_only_the_newest_connection_of_a_batch_is_heard():
    station = make_station()
    old = message(station, reading(1.0))
    station.connection_epoch += 1
    station.save(update_fields=["connection_epoch"])
    batch = [old, message(station, reading(2.0)), old]
    assert record_readings(messages=batch) == [False, True, False]
    assert list(MeterValue.objects.values_list("value", flat=True)) == [2.0]


@pytest.mark.parametrize("odd", [{}, {"ref": "-1"}, {"received_at": NOON + timedelta(days=1)}], ids=str)
def test_batch_of_cached_series_is_one_statement(odd):
    station = make_station()
    voltage = reading(230.0, measurand="Voltage", unit="V")
    batch = [message(station, reading(), voltage), message(station, reading(), **odd)]
    know_series_of(batch)
    with CaptureQueriesContext(connection) as captured:
        assert services.record_readings(messages=batch) == [True, True]
    # A reported transaction is looked for, a late sample marks its quarter.
    assert (len(captured) == 1) == (not odd)
    assert MeterValue.objects.count() == (3 if "ref" in odd else 2)


def test_batch_in_known_transactions_is_two_statements_whatever_their_number():
    def statements(count: int) -> list[str]:
        stations = [make_station() for _ in range(count)]
        answers = [start(station, id_tag=make_id_tag().id_tag) for station in stations]
        lost = make_station()
        batch = [
            message(station, reading(1500.0), transaction_id=answer.transaction_id)
            for station, answer in zip(stations, answers, strict=True)
        ]
        batch += [message(make_station(), reading()), message(lost, reading())]
        know_series_of(batch)
        Station.objects.filter(pk=lost.pk).update(connection_epoch=2)
        with CaptureQueriesContext(connection) as captured:
            assert services.record_readings(messages=batch) == [True] * (count + 1) + [False]
        rows = Transaction.objects.filter(station__in=stations)
        assert {(row.energy_wh, row.id_seen_at) for row in rows} == {(500.0, NOON)}
        samples = MeterValue.objects.filter(series__station__in=stations)
        assert sorted(sample.transaction_id for sample in samples) == sorted(row.pk for row in rows)
        return [query["sql"].split()[0] for query in captured if "SAVEPOINT" not in query["sql"]]

    assert statements(1) == statements(20) == ["WITH", "UPDATE"]


def test_transaction_is_remembered_once_its_message_is_committed(django_capture_on_commit_callbacks):
    station = make_station()
    answer = start(station, id_tag=make_id_tag().id_tag)
    own = station.pk, answer.transaction_id
    with django_capture_on_commit_callbacks(execute=True):
        services.record_readings(messages=[message(station, reading(), transaction_id=answer.transaction_id)])
        assert own not in known_transactions
    assert known_transactions == {own: Transaction.objects.get(transaction_id=answer.transaction_id).pk}


def test_message_without_readings_is_answered_if_its_connection_owns_the_station():
    station = make_station()
    assert record_readings(messages=[message(station)]) == [True]
    Station.objects.filter(pk=station.pk).update(connection_epoch=9)
    assert record_readings(messages=[message(station)]) == [False]


def test_readings_carry_running_values():
    make_id_tag("TAG")
    station = make_station()
    answer = start(station)
    later = NOON + timedelta(minutes=5)
    record_readings(
        messages=[
            message(
                station,
                reading(1500.0, reported_at=later),
                reading(7000.0, reported_at=later, measurand="Power.Active.Import", unit="W"),
                reading(55.0, reported_at=later, measurand="SoC", unit="Percent"),
                transaction_id=answer.transaction_id,
                received_at=later,
            )
        ]
    )
    row = transaction_of(answer)
    assert (row.energy_wh, row.power_w, row.soc_percent) == (500.0, 7000.0, 55.0)
    assert (row.id_seen_at, row.last_message_at, row.last_register_at) == (later, later, later)
    assert MeterValue.objects.filter(transaction=row).count() == 3


def test_readings_of_single_phases_add_up_to_power():
    make_id_tag("TAG")
    station = make_station()
    answer = start(station)
    phases = [
        reading(value, measurand="Power.Active.Import", unit="W", phase=phase)
        for phase, value in (("L1", 2300.0), ("L2", 2200.0), ("L3", 2100.0))
    ]
    record_readings(messages=[message(station, *phases, transaction_id=answer.transaction_id)])
    assert transaction_of(answer).power_w == 6600.0


def test_readings_older_than_known_change_no_running_value():
    make_id_tag("TAG")
    station = make_station()
    answer = start(station)
    for minutes, value in ((10, 2000.0), (5, 1500.0)):
        at = NOON + timedelta(minutes=minutes)
        record_readings(
            messages=[
                message(station, reading(value, reported_at=at), transaction_id=answer.transaction_id, received_at=at)
            ]
        )
    assert transaction_of(answer).energy_wh == 1000.0


def test_readings_after_the_stop_are_stored_and_reopen_nothing():
    make_id_tag("TAG")
    station = make_station()
    answer = start(station)
    stop(station, transaction_id=answer.transaction_id)
    late = reading(6001.0, reported_at=NOON + timedelta(minutes=31), context="Transaction.End")
    record_readings(
        messages=[
            message(station, late, transaction_id=answer.transaction_id, received_at=NOON + timedelta(minutes=32))
        ]
    )
    row = transaction_of(answer)
    assert (row.closing, row.energy_wh, row.meter_values.count()) == ("reported", 5000, 1)


def test_readings_that_run_backwards_are_marked():
    make_id_tag("TAG")
    station = make_station()
    answer = start(station)
    record_readings(messages=[message(station, reading(10.0), transaction_id=answer.transaction_id)])
    row = transaction_of(answer)
    assert (row.energy_wh, row.marks) == (0, [Mark.METER_REGRESSION])


def test_readings_with_unusable_id_go_to_the_one_transaction_of_their_connector():
    make_id_tag("TAG")
    station = make_station()
    answer = start(station)
    record_readings(messages=[message(station, reading(), ref="-1")])
    row = transaction_of(answer)
    assert (row.energy_wh, row.id_seen_at, OrphanMessage.objects.count()) == (500.0, None, 0)
    assert MeterValue.objects.get().transaction == row


def test_readings_with_another_stations_id_do_not_touch_it():
    make_id_tag("TAG")
    answer = start(make_station())
    other = make_station()
    record_readings(messages=[message(other, reading(), transaction_id=answer.transaction_id)])
    assert transaction_of(answer).last_register_wh is None
    assert OrphanMessage.objects.get().station == other


def test_readings_kept_for_review_can_be_adopted():
    make_id_tag("TAG")
    station = make_station()
    for minutes in (1, 2):
        at = NOON + timedelta(minutes=minutes)
        record_readings(messages=[message(station, reading(reported_at=at), ref="-7", received_at=at)])
    orphan = OrphanMessage.objects.get()
    assert (orphan.count, orphan.connector_id) == (2, 1)
    answer = start(station, at=NOON + timedelta(minutes=5))
    adopt_orphan(orphan_id=orphan.pk, transaction_id=answer.transaction_id, resolved_by="ann", note="", now=NOON)
    assert transaction_of(answer).meter_values.count() == 2


def test_transaction_data_is_stored_with_its_transaction():
    make_id_tag("TAG")
    station = make_station()
    answer = start(station)
    samples = tuple(reading(1000.0 + n, reported_at=NOON + timedelta(minutes=n)) for n in range(100))
    for _ in range(2):
        stop(
            station,
            transaction_id=answer.transaction_id,
            transaction_data=samples,
            received_at=NOON + timedelta(hours=2),
            content_hash=b"d" * 16,
        )
    assert transaction_of(answer).meter_values.count() == 100
    assert Series.objects.get().connector_id == 1


def test_transaction_data_of_a_stop_without_usable_id_or_time_is_stored_once():
    make_id_tag("TAG")
    station = make_station()
    answer = start(station)
    samples = (reading(2000.0, reported_at=NOON - timedelta(days=20_000)),)
    for minutes in (30, 31):
        stop(
            station,
            transaction_id=None,
            transaction_ref="-1",
            transaction_data=samples,
            received_at=NOON + timedelta(minutes=minutes),
            content_hash=b"e" * 16,
        )
    sample = MeterValue.objects.select_related("series").get()
    assert (sample.transaction, sample.series.connector_id) == (transaction_of(answer), 1)


def test_readings_leave_energy_unknown_where_the_start_named_no_register():
    make_id_tag("TAG")
    station = make_station()
    answer = start(station, meter_start=None)
    record_readings(messages=[message(station, reading(), transaction_id=answer.transaction_id)])
    row = transaction_of(answer)
    assert (row.energy_wh, row.last_register_wh) == (None, 1500.0)


@pytest.mark.parametrize(
    ("value", "register_wh", "energy_wh"),
    [
        (1500.0625, "1500.063", "499.963"),
        (1234567.891, "1234567.891", "1233567.791"),
        (123456789012345.67, "123456789012345.67", "123456789011345.57"),
        (1000.1, "1000.1", "0"),
    ],
)
def test_register_is_the_sample_to_the_thousandth(value, register_wh, energy_wh):
    make_id_tag("TAG")
    station = make_station()
    answer = start(station, meter_start=1000.1)
    record_readings(messages=[message(station, reading(value), transaction_id=answer.transaction_id)])
    row = transaction_of(answer)
    assert (row.last_register_wh, row.energy_wh) == (Decimal(register_wh), Decimal(energy_wh))
    assert MeterValue.objects.get().value == value
