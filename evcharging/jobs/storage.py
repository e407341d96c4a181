"""Storage policies and retention of the big tables, of all apps in turn."""

from datetime import datetime

import meter.services.retention
import meter.storage
import status_notifications.storage
from evcharging.db.retention import Removed
from evcharging.db.timescale import Edition, edition


def apply_policies() -> list[str]:
    """Update TimescaleDB's policies to the settings; return a line for each feature that the database lacks."""
    if edition() is Edition.NONE:
        return ["no TimescaleDB: no compression; server processes do roll-ups and retention"]
    return [*meter.storage.apply_policies(), *status_notifications.storage.apply_policies()]


def apply_retention(*, now: datetime, is_dry_run: bool = False, limit_s: float | None = None) -> list[Removed]:
    """Remove rows and chunks beyond their retention, or only count them; no app begins a batch after `limit_s`."""
    return [
        *meter.services.retention.apply_retention(now=now, is_dry_run=is_dry_run, limit_s=limit_s),
        *status_notifications.storage.apply_retention(now=now, is_dry_run=is_dry_run, limit_s=limit_s),
    ]
