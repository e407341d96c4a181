"""Roll-ups while samples are stored, and several roll-ups at once: nothing is lost, nobody waits for ever."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random

import pytest
from django.db import connection, transaction

from evcharging.db.advisory_locks import AdvisoryLock
from meter.models import DayRollup, LateMark, MeterValue, QuarterRollup
from meter.rollups.late import mark_late
from meter.rollups.roll_up import roll_up
from tests.support import rollup_model as model
from tests.support.factories import make_station
from tests.support.rollup_model import DAY, QUARTER, Sample
from tests.support.samples import END, MIDNIGHT, store

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.storage]


def closing(function: Callable[[], object]) -> Callable[[], object]:
    """The function, closing its thread's connection."""

    def run() -> object:
        try:
            return function()
        finally:
            connection.close()

    return run


def test_mark_that_stands_for_uncommitted_samples_outlives_a_roll_up():
    station = make_station()
    store(station, Sample(MIDNIGHT, 1.0))
    roll_up(now=END)
    store(station, Sample(MIDNIGHT + timedelta(minutes=1), 2.0), received_at=END)  # leaves a mark
    stored, may_commit = threading.Event(), threading.Event()

    @closing
    def store_more() -> None:
        with transaction.atomic():
            store(station, Sample(MIDNIGHT + timedelta(minutes=2), 3.0), received_at=END)  # finds the mark
            stored.set()
            assert may_commit.wait(30)

    with ThreadPoolExecutor() as pool:
        storing = pool.submit(store_more)
        assert stored.wait(30)
        roll_up(now=END)
        assert LateMark.objects.count() == 1
        may_commit.set()
        storing.result(30)
    roll_up(now=END)
    assert (LateMark.objects.count(), QuarterRollup.objects.get().samples) == (0, 3)


def test_sample_stored_while_its_quarter_is_rolled_up_keeps_its_mark():
    """The roll-up has deleted the mark and is not committed: who marks now waits, and marks anew."""
    station = make_station()
    store(station, Sample(MIDNIGHT, 1.0))
    roll_up(now=END)
    store(station, Sample(MIDNIGHT + timedelta(minutes=1), 2.0), received_at=END)
    store_late = closing(lambda: store(station, Sample(MIDNIGHT + timedelta(minutes=2), 3.0), received_at=END))
    with ThreadPoolExecutor() as pool:
        with transaction.atomic():
            roll_up(now=END)
            storing = pool.submit(store_late)
            wait_for_blocked_mark()
        storing.result(30)
    assert LateMark.objects.count() == 1
    roll_up(now=END)
    assert (LateMark.objects.count(), QuarterRollup.objects.get().samples) == (0, 3)


def wait_for_blocked_mark() -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s",
                ["%INSERT INTO meter_rollup_late%"],
            )
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits for the mark")


def test_second_roll_up_at_the_same_time_leaves_it_to_the_first():
    store(make_station(), Sample(MIDNIGHT, 1.0))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [AdvisoryLock.ROLL_UP])
        with ThreadPoolExecutor() as pool:
            done = pool.submit(closing(lambda: roll_up(now=END))).result(30)
    assert (done.is_ours, QuarterRollup.objects.count()) == (False, 0)


def test_two_transactions_that_mark_the_same_quarters_do_not_deadlock():
    store(make_station(), Sample(MIDNIGHT, 1.0))
    series_id = MeterValue.objects.get().series_id
    marks = [(series_id, MIDNIGHT + number * QUARTER) for number in range(200)]

    def mark(order: int) -> Callable[[], object]:
        @closing
        def run() -> None:
            for round_ in range(20):
                with transaction.atomic():
                    mark_late(Random(order * 100 + round_).sample(marks, 150))

        return run

    with ThreadPoolExecutor() as pool:
        for future in [pool.submit(mark(order)) for order in range(3)]:
            future.result(60)
    assert LateMark.objects.count() == 200


def test_roll_ups_while_samples_are_stored_end_where_one_afterwards_does():
    station = make_station()
    random = Random(7)
    samples = [
        Sample(MIDNIGHT + timedelta(minutes=random.randrange(2 * 1440)), float(number), random.choice((1, 2)))
        for number in range(600)
    ]
    store(station, *samples[:50])
    roll_up(now=END)
    done = threading.Event()

    def storing(part: list[Sample]) -> Callable[[], object]:
        def run() -> None:
            for start in range(0, len(part), 5):
                store(station, *part[start : start + 5], received_at=END)

        return closing(run)

    @closing
    def rolling() -> int:
        runs = 0
        while not done.is_set():
            runs += roll_up(now=END).is_ours
        return runs

    with ThreadPoolExecutor() as pool:
        rollers = [pool.submit(rolling) for _ in range(2)]
        for future in [pool.submit(storing(samples[first::3])) for first in range(3)]:
            future.result(120)
        done.set()
        assert all(roller.result(60) > 0 for roller in rollers)
    roll_up(now=END)
    for table, width in ((QuarterRollup, QUARTER), (DayRollup, DAY)):
        found = {
            (row.series.connector_id, row.bucket): (row.samples, row.total, row.first_value, row.last_value)
            for row in table.objects.select_related("series")
        }
        expected = {
            (words[0], bucket): (row.samples, row.total, row.first_value, row.last_value)
            for (words, bucket), row in model.rollups(samples, width).items()
        }
        assert found == expected
    assert LateMark.objects.count() == 0
