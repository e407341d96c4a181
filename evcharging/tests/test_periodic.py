"""What the gateway does for meter values by the clock."""

import logging
from datetime import timedelta

import pytest

from evcharging.jobs.periodic import remove_old_rows, roll_up_samples
from meter.models import DayRollup, MeterValue
from tests.support.factories import make_station
from tests.support.rollup_model import Sample
from tests.support.samples import MIDNIGHT, store


@pytest.mark.django_db(transaction=True)
def test_samples_are_rolled_up_and_go_by_the_clock(settings, caplog):
    settings.METER_VALUES_RETENTION_DAYS = 7
    store(make_station(), *(Sample(MIDNIGHT + timedelta(hours=hour), float(hour)) for hour in range(24)))
    later = MIDNIGHT + timedelta(days=8)
    roll_up_samples(now=later)
    with caplog.at_level(logging.INFO):
        remove_old_rows(now=later)
        remove_old_rows(now=later)
    assert (MeterValue.objects.count(), DayRollup.objects.get().samples) == (0, 24)
    assert [record.getMessage() for record in caplog.records] == [
        "retention: meter_values: 24 rows before 2026-03-29 00:00"
    ]
