"""Everything that writes transactions: each transaction exactly once, whatever the charger repeats."""

from transactions.services.closing import close_stale, close_transaction
from transactions.services.orphans import adopt_orphan, dismiss_orphan
from transactions.services.plain_starts import record_plain_starts
from transactions.services.plain_stops import record_plain_stops
from transactions.services.readings import (
    RunningValue,
    TransactionRef,
    forget_known_transactions,
    known_transaction,
    resolve_refs,
    update_running_values,
)
from transactions.services.reconciling import AdoptedOrphan, adopt_fitting_orphans, fitting_orphans
from transactions.services.start import ConnectionSuperseded, skip_transaction_ids, start_transaction
from transactions.services.stop import stop_transaction

__all__ = [
    "AdoptedOrphan",
    "ConnectionSuperseded",
    "RunningValue",
    "TransactionRef",
    "adopt_fitting_orphans",
    "adopt_orphan",
    "close_stale",
    "close_transaction",
    "dismiss_orphan",
    "fitting_orphans",
    "forget_known_transactions",
    "known_transaction",
    "record_plain_starts",
    "record_plain_stops",
    "resolve_refs",
    "skip_transaction_ids",
    "start_transaction",
    "stop_transaction",
    "update_running_values",
]
