"""Everything that writes transactions: each transaction exactly once, whatever the charger repeats."""

from transactions.services.closing import close_stale, close_transaction
from transactions.services.orphans import adopt_orphan, dismiss_orphan
from transactions.services.readings import RunningValue, TransactionRef, resolve_refs, update_running_values
from transactions.services.reconciling import AdoptedOrphan, adopt_fitting_orphans, fitting_orphans
from transactions.services.start import ConnectionSuperseded, StartAnswer, skip_transaction_ids, start_transaction
from transactions.services.stop import StopAnswer, stop_transaction

__all__ = [
    "AdoptedOrphan",
    "ConnectionSuperseded",
    "RunningValue",
    "StartAnswer",
    "StopAnswer",
    "TransactionRef",
    "adopt_fitting_orphans",
    "adopt_orphan",
    "close_stale",
    "close_transaction",
    "dismiss_orphan",
    "fitting_orphans",
    "resolve_refs",
    "skip_transaction_ids",
    "start_transaction",
    "stop_transaction",
    "update_running_values",
]
