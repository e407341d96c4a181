"""Facts about transactions."""

from django.dispatch import Signal

transactions_started = Signal()
"""StartTransactions were stored for the first time.

Way: publish. Arguments: `started: list[Started]`. Not sent for resends.
"""

transaction_data_reported = Signal()
"""A StopTransaction brought samples (transactionData).

Way: emit. Arguments: `transaction: Transaction | None`, `received: Received` (stations.types), `connector_id: int`,
`transaction_ref: str`, `readings: tuple[Reading, ...]`. Not sent without samples, nor for a resend, whose samples are
stored already (without a credible time they would be stored again).
"""

orphan_adopted = Signal()
"""Meter values with an unusable id were found to belong to a transaction.

Way: emit. Arguments: `orphan: OrphanMessage`, `transaction: Transaction`. Not sent for stops.
"""

transactions_stopped = Signal()
"""Transactions were closed, by the station, by staff or by an estimate.

Way: publish. Arguments: `stopped: list[Stopped]`. Not sent for resends.
"""
