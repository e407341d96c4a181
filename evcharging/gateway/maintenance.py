"""What the gateway tidies every hour, in whichever process comes first."""

import logging
from datetime import datetime

from django.db import connection, transaction

from id_tags.services import forget_unknown_id_tags
from stations.services import forget_strangers
from transactions.services import close_stale

logger = logging.getLogger(__name__)

LOCK_ID = 0x0CCB  # any constant: which pg_advisory lock stands for this job


@transaction.atomic
def maintain(*, now: datetime) -> bool:
    """Forget strangers and close transactions that fell silent; return False where another process is at it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK_ID])
        (is_ours,) = cursor.fetchone()
    if not is_ours:
        return False
    forgotten = forget_strangers(now=now)
    unknown = forget_unknown_id_tags(now=now)
    closed = close_stale(now=now)
    logger.info(
        "maintenance: %s, %s unknown tags forgotten, %s silent transactions closed", forgotten, unknown, closed
    )
    return True
