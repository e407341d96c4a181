"""Storage of status history: compression and retention as the settings say."""

import time
from datetime import datetime, timedelta

from django.conf import settings

from evcharging.db.retention import Removed, remove_before
from evcharging.db.timescale import Edition, edition
from evcharging.db.timescale_policies import Policy, compress, keep_policies


def apply_policies() -> list[str]:
    """Set compression and retention as the settings say; return a line for what the edition lacks. Idempotent."""
    found = edition()
    if found is Edition.APACHE:
        return ["status history: no compression in this edition"]
    if found is Edition.COMMUNITY:
        # The columns of the unique constraint, so that a status which is sent again is found inside compressed chunks.
        compress(
            "status_notifications",
            segment_by="station_id, connector_id",
            order_by="effective_at, status, error_code, vendor_error_code",
        )
        keep_policies(
            [
                Policy.compression("status_notifications", after=settings.COMPRESS_AFTER_DAYS),
                Policy.retention("status_notifications", after=settings.STATUS_RETENTION_DAYS),
            ]
        )
    return []


def apply_retention(*, now: datetime, is_dry_run: bool = False, limit_s: float | None = None) -> list[Removed]:
    """Remove statuses that are older than STATUS_RETENTION_DAYS; connectors keep their current one."""
    if not settings.STATUS_RETENTION_DAYS:
        return []
    return [
        remove_before(
            relation="status_notifications",
            column="effective_at",
            before=now - timedelta(days=settings.STATUS_RETENTION_DAYS),
            is_dry_run=is_dry_run,
            deadline=None if limit_s is None else time.monotonic() + limit_s,
        )
    ]
