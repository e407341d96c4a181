"""Checks waiting messages again: what fits by now is adopted, by the rule that holds at arrival."""

import logging
from datetime import datetime
from typing import NamedTuple

from django.db import DatabaseError, connection, transaction

from transactions.models import OrphanKind, OrphanMessage, OrphanState
from transactions.services.fitting import fitting_orphan
from transactions.services.orphans import adopt_locked, lock_waiting

logger = logging.getLogger(__name__)


class AdoptedOrphan(NamedTuple):
    """A message that found its transaction; `transaction_id` is the one that its station knows."""

    orphan_id: int
    transaction_id: int


def adopt_fitting_orphans(*, now: datetime) -> list[AdoptedOrphan]:
    """Adopt every waiting message that fits exactly one transaction of its station, the oldest first.

    Each in a database transaction of its own, so that locks are short and a later error undoes none. Skips a message
    that somebody else resolves meanwhile, and one that the database refuses. Idempotent.

    :raises DatabaseError: the database cannot be used at all.
    """
    adopted = []
    waiting = OrphanMessage.objects.filter(state=OrphanState.WAITING).order_by("effective_at", "pk")
    for orphan_id in waiting.values_list("pk", flat=True).iterator():
        try:
            found = _adopt_if_fits(orphan_id, now)
        except DatabaseError:
            if not connection.is_usable():
                raise
            logger.exception("message %d waits on: its transaction cannot be given it", orphan_id)
            continue
        if found is not None:
            adopted.append(found)
    return adopted


def fitting_orphans() -> list[AdoptedOrphan]:
    """Return what adopt_fitting_orphans() would adopt if it ran now, and change nothing."""
    found: list[AdoptedOrphan] = []
    stopped: set[int] = set()
    for orphan in OrphanMessage.objects.filter(state=OrphanState.WAITING).order_by("effective_at", "pk").iterator():
        row = fitting_orphan(orphan)
        is_stop = orphan.kind == OrphanKind.STOP
        if row is None or (is_stop and row.transaction_id in stopped):
            continue
        if is_stop:
            stopped.add(row.transaction_id)  # a second stop finds it stopped
        found.append(AdoptedOrphan(orphan.pk, row.transaction_id))
    return found


@transaction.atomic
def _adopt_if_fits(orphan_id: int, now: datetime) -> AdoptedOrphan | None:
    orphan = lock_waiting(orphan_id)
    if orphan is None:
        return None
    found = fitting_orphan(orphan)
    if found is None:
        return None
    row = adopt_locked(orphan, found, resolved_by="", note="", now=now)
    return None if row is None else AdoptedOrphan(orphan_id, row.transaction_id)
