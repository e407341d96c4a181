"""How long status history is kept."""

from datetime import timedelta

import pytest

from evcharging.db.timescale import is_hypertable
from status_notifications.models import StatusNotification
from status_notifications.services.statuses import StatusMessage, record_statuses
from status_notifications.storage import apply_retention
from status_notifications.types import StatusReport
from tests.support.factories import NOON, make_station, received

pytestmark = [pytest.mark.django_db, pytest.mark.storage]


def test_statuses_go_after_their_retention(settings):
    settings.STATUS_RETENTION_DAYS = 20
    station = make_station()
    for day in range(30):
        at = NOON + timedelta(days=day)
        report = StatusReport(1, "Available", "NoError", "", "", "", at)
        record_statuses(messages=[StatusMessage(received(station, at), report)])
    now = NOON + timedelta(days=30)
    asked = apply_retention(now=now, is_dry_run=True)
    assert apply_retention(now=now) == asked
    # chunks of a week go whole
    assert StatusNotification.objects.count() == (26 if is_hypertable("status_notifications") else 20)
    settings.STATUS_RETENTION_DAYS = 0
    assert apply_retention(now=now) == []
