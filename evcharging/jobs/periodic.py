"""Periodic jobs, called by the gateway of every process: commands every few seconds, roll-ups every few minutes, the
rest hourly. Advisory locks make one process at a time do a job."""

import logging
from datetime import datetime

from django.conf import settings
from django.db import transaction

from evcharging.api.services import forget_idempotency_keys
from evcharging.db.advisory_locks import AdvisoryLock, try_lock_for_transaction
from evcharging.jobs.storage import apply_retention
from id_tags.services.unknown_tags import forget_unknown_id_tags
from meter.rollups.roll_up import roll_up
from stations.selectors import stations_with_queue
from stations.services.calls import tidy_commands
from stations.services.configuration import greet_stations
from stations.services.expected_effects import give_up_effects
from stations.services.refusals import delete_expired_refusals
from transactions.services.closing import close_stale
from transactions.services.reservation_ends import expire_reservations

logger = logging.getLogger(__name__)

LIMIT_S = 20.0  # then the thread of the pool is free again, and the process can stop; the next run continues


def advance_commands(*, gateway_channel: str, now: datetime) -> list[int]:
    """Run the due steps of commands and reservations; return the stations of this process with queued commands."""
    if settings.OCPP_READ_CONFIGURATION:
        greet_stations(gateway_channel=gateway_channel, now=now)
    tidy_commands(now=now)
    give_up_effects(now=now)
    expire_reservations(now=now)
    return stations_with_queue(gateway_channel=gateway_channel)


@transaction.atomic
def maintain(*, now: datetime) -> bool:
    """Delete expired refusals, unknown tags and idempotency keys, close stale transactions.

    Returns False, having done nothing, where another process runs it.
    """
    if not try_lock_for_transaction(AdvisoryLock.MAINTENANCE):
        return False
    refusals = delete_expired_refusals(now=now)
    unknown = forget_unknown_id_tags(now=now)
    closed = close_stale(now=now)
    forget_idempotency_keys(now=now)
    logger.info(
        "maintenance: deleted %d pending stations, %d refused connections, %d deviations and %d unknown tags, "
        "closed %d stale transactions",
        refusals.pending_stations,
        refusals.refused_connections,
        refusals.deviations,
        unknown,
        closed,
    )
    return True


def roll_up_samples(*, now: datetime) -> None:
    """Roll up ended intervals, and those with late samples again."""
    roll_up(now=now, limit_s=LIMIT_S)


def remove_old_rows(*, now: datetime) -> None:
    """Apply the retention settings."""
    for removed in apply_retention(now=now, limit_s=LIMIT_S):
        if removed.amount:
            logger.info("retention: %s", removed)
