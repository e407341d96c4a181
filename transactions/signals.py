"""What happens to transactions."""

from django.dispatch import Signal

transactions_started = Signal()
"""StartTransactions were stored for the first time.

Way: publish. Arguments: `started: list[Started]`. Not sent for resends.
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

transactions_stopped = Signal()
"""Transactions were closed, by the station, by staff or by an estimate.

Way: publish. Arguments: `stopped: list[Stopped]`. Not sent for resends.
"""
