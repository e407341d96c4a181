"""What happens to transactions."""

from django.dispatch import Signal

transaction_started = Signal()
"""A StartTransaction was stored for the first time.

Way: publish. Arguments: `pk: int` (the transaction's primary key), `station_id: int`, `now: datetime`. Not sent for a
resend.
"""

transaction_data_reported = Signal()
"""A StopTransaction brought samples (transactionData).

Way: emit. Arguments: `transaction: Transaction | None`, `station_id: int`, `connector_id: int`,
`transaction_ref: str`, `readings: tuple[Reading, ...]`, `received_at: datetime`, `clock_drift_s: float | None`.
Not sent for a resend, whose samples are stored (without a credible time they would be stored again), and not without
samples.
"""

orphan_adopted = Signal()
"""Meter values with an unusable id were found to belong to a transaction.

Way: emit. Arguments: `orphan: OrphanMessage`, `transaction: Transaction`. Not sent for stops.
"""

transaction_stopped = Signal()
"""A transaction was closed, by the station, by staff or by an estimate.

Way: publish. Arguments: `station_id: int`, `identity: str`, `transaction_id: int`. Not sent for a resend.
"""
