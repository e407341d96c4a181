"""The same content at the same instant, in as many database connections: it is stored once."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection

from meter.models import MeterValue
from meter.services.readings import MeterMessage, record_readings
from meter.types import Reading
from tests.support.factories import (
    NOON,
    make_id_tag,
    make_station,
    reading,
    received,
    start,
    stop,
)
from transactions.models import OrphanMessage, Transaction


def _at_once(functions: list[Callable[[], Any]]) -> list[Any]:
    """Call every function in a thread of its own, all at the same instant; return what they returned."""
    gate = threading.Barrier(len(functions))

    def wait_and_call(function: Callable[[], Any]) -> Any:
        try:
            connection.ensure_connection()
            gate.wait()
            return function()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(wait_and_call, functions))


@pytest.mark.usefixtures("committed_database")
def test_hundred_equal_starts_and_stops_in_parallel_are_one_transaction() -> None:
    make_id_tag("TAG")
    station = make_station()
    answers = [answer for _ in range(5) for answer in _at_once([lambda: start(station)] * 20)]
    assert len({answer.transaction_id for answer in answers}) == 1
    assert [answer.is_resend for answer in answers].count(False) == 1
    transaction_id = answers[0].transaction_id
    samples = (reading(2000.0), reading(3000.0, reported_at=None))
    for stop_call in (
        lambda: stop(station, transaction_id=transaction_id, transaction_data=samples, content_hash=b"s" * 16),
        lambda: stop(station, transaction_ref="-1", transaction_data=samples, content_hash=b"o" * 16),
    ):
        for _ in range(5):
            _at_once([stop_call] * 20)
    row = Transaction.objects.get()
    assert (row.closing, row.meter_stop, row.energy_wh, row.meter_values.count()) == ("reported", 6000, 5000, 2)
    assert OrphanMessage.objects.get().state == "waiting"


@pytest.mark.usefixtures("committed_database")
def test_different_starts_of_one_tag_in_parallel_are_counted_one_by_one() -> None:
    """The tag may charge twice at once; eight connectors of four stations ask at the same instant."""
    make_id_tag("TAG", max_active_transactions=2)
    stations = [make_station() for _ in range(4)]
    calls = [partial(start, station, connector_id=number) for station in stations for number in (1, 2)]
    statuses = Counter(answer.authorization["status"] for answer in _at_once(calls))
    assert statuses == {"Accepted": 2, "ConcurrentTx": 6}


@pytest.mark.usefixtures("committed_database")
def test_different_starts_on_one_connector_in_parallel_leave_one_open() -> None:
    make_id_tag("TAG", max_active_transactions=0)
    station = make_station()
    calls = [
        partial(start, station, at=NOON + timedelta(minutes=number), meter_start=1000 + number) for number in range(12)
    ]
    _at_once(calls)
    rows = Transaction.objects.order_by("started_at")
    assert [row.closing for row in rows] == ["estimated"] * 11 + ["open"]


@pytest.mark.usefixtures("committed_database")
def test_same_samples_in_parallel_are_there_once() -> None:
    """Two processes that get the same offline samples in different order neither deadlock nor double them."""
    make_id_tag("TAG")
    station = make_station()
    transaction_id = start(station).transaction_id
    samples = [
        reading(1000.0 + number, reported_at=NOON + timedelta(seconds=number), context=context)
        for number in range(50)
        for context in ("Sample.Periodic", "Sample.Clock", "Trigger")
    ]

    def message(readings: list[Reading]) -> MeterMessage:
        return MeterMessage(received(station, NOON), 1, transaction_id, str(transaction_id), readings)

    one_way, other_way = message(samples), message(samples[::-1])
    calls = [partial(record_readings, messages=[one_way]), partial(record_readings, messages=[other_way])] * 6
    assert _at_once(calls) == [[True]] * 12
    assert MeterValue.objects.count() == 150
    assert Transaction.objects.get().energy_wh == 49
