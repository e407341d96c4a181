"""The one way to lock a transaction for its end."""

from connectors.models import Connector
from transactions.models import Transaction


def lock_transaction(*, pk: int, connector_pk: int) -> Transaction:
    """Lock a connector and then its transaction until the end of the database transaction; return the fresh row.

    Connector first, as start_transaction() does: the other order would deadlock with it.
    """
    Connector.objects.select_for_update(no_key=True).get(pk=connector_pk)
    rows = Transaction.objects.select_for_update(no_key=True, of=("self",)).select_related("connector")
    return rows.get(pk=pk)
