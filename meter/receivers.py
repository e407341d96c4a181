"""Reactions of meter values to facts about transactions."""

from collections.abc import Sequence
from typing import Any

from django.dispatch import receiver

from meter.services.readings import give_samples_to_transaction, store_transaction_data
from meter.types import Reading
from stations.types import Received
from transactions.models import OrphanMessage, Transaction
from transactions.signals import orphan_adopted, transaction_data_reported


@receiver(transaction_data_reported)
def store_samples_of_stop(
    *,
    transaction: Transaction | None,
    received: Received,
    connector_id: int,
    transaction_ref: str,
    readings: Sequence[Reading],
    **kwargs: Any,
) -> None:
    """Store transactionData in the database transaction of its StopTransaction."""
    store_transaction_data(
        received=received,
        connector_id=connector_id,
        transaction_pk=None if transaction is None else transaction.pk,
        transaction_ref=transaction_ref,
        readings=readings,
    )


@receiver(orphan_adopted)
def move_samples_of_orphan(*, orphan: OrphanMessage, transaction: Transaction, **kwargs: Any) -> None:
    """Assign the samples that an adopted message brought to its transaction."""
    give_samples_to_transaction(
        station_id=orphan.station_id,
        connector_id=orphan.connector_id or 0,
        transaction_ref=orphan.transaction_ref,
        since=orphan.effective_at,
        until=orphan.last_effective_at or orphan.effective_at,
        transaction_pk=transaction.pk,
    )
