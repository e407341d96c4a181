"""What meter values do when something happened."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.dispatch import receiver

from meter.services.readings import give_samples_to_transaction, store_transaction_data
from meter.types import Reading
from transactions.models import OrphanMessage, Transaction
from transactions.signals import orphan_adopted, transaction_data_reported


@receiver(transaction_data_reported)
def store_samples_of_stop(
    *,
    transaction: Transaction | None,
    station_id: int,
    connector_id: int,
    transaction_ref: str,
    readings: Sequence[Reading],
    received_at: datetime,
    clock_drift_s: float | None,
    **kwargs: Any,
) -> None:
    """Store transactionData in the database transaction of its StopTransaction."""
    store_transaction_data(
        station_id=station_id,
        connector_id=connector_id,
        transaction_pk=None if transaction is None else transaction.pk,
        transaction_ref=transaction_ref,
        readings=readings,
        received_at=received_at,
        clock_drift_s=clock_drift_s,
    )


@receiver(orphan_adopted)
def move_samples_of_orphan(*, orphan: OrphanMessage, transaction: Transaction, **kwargs: Any) -> None:
    """Give the samples that an adopted message brought to its transaction."""
    give_samples_to_transaction(
        station_id=orphan.station_id,
        connector_id=orphan.connector_id or 0,
        transaction_ref=orphan.transaction_ref,
        since=orphan.effective_at,
        until=orphan.last_effective_at or orphan.effective_at,
        transaction_pk=transaction.pk,
    )
