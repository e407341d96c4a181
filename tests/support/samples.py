"""Storing samples as a gateway does."""

from datetime import UTC, datetime, timedelta

from meter.services.readings import MeterMessage, record_readings
from stations.models import Station
from tests.support.factories import reading, received
from tests.support.rollup_model import Sample

MIDNIGHT = datetime(2026, 3, 28, tzinfo=UTC)
END = MIDNIGHT + timedelta(days=3)


def store(station: Station, *samples: Sample, received_at: datetime | None = None, transaction_id: int = 0) -> None:
    """Store samples in one batch, each received when it was measured unless told."""
    ref = str(transaction_id) if transaction_id else ""
    messages = [
        MeterMessage(
            received(station, received_at or one.at), one.connector_id, transaction_id or None, ref,
            [
                reading(
                    one.value, reported_at=one.at, location=one.location, phase=one.phase, context=one.context,
                    unit=one.unit,
                )
            ],
        )
        for one in samples
    ]  # fmt: skip
    assert record_readings(messages=messages) == [True] * len(messages)
