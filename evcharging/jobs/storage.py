"""What is done for the big tables as a whole: each app's policies and retention, one after the other."""

from datetime import datetime

import meter.services.retention
import meter.storage
import status_notifications.storage
from evcharging.db.retention import Removed
from evcharging.db.timescale import Edition, edition


def apply_policies() -> list[str]:
    """Bring TimescaleDB's policies in line with the settings; return a line for what the database at hand lacks."""
    if edition() is Edition.NONE:
        return ["no TimescaleDB: no compression; roll-ups and retention are the server processes' own"]
    return [*meter.storage.apply_policies(), *status_notifications.storage.apply_policies()]


def apply_retention(*, now: datetime, is_dry_run: bool = False, limit_s: float | None = None) -> list[Removed]:
    """Remove what is older than the settings say, or say what would go; each app begins nothing after `limit_s`."""
    return [
        *meter.services.retention.apply_retention(now=now, is_dry_run=is_dry_run, limit_s=limit_s),
        *status_notifications.storage.apply_retention(now=now, is_dry_run=is_dry_run, limit_s=limit_s),
    ]
