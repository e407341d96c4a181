"""How long samples and their roll-ups are kept."""

import time
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Min

from evcharging.db.retention import Removed, remove_before
from evcharging.db.timescale import is_hypertable
from meter.models import LateMark, RollupProgress
from meter.selectors import MARGIN
from meter.storage import DAYS_VIEW, QUARTERS_VIEW, has_continuous_aggregates, refresh_continuous_aggregates
from transactions.models import Transaction

# A hypertable drops whole chunks: there the earliest open transaction keeps everything after it.
_OF_OPEN_TRANSACTION = """
    meter_values.transaction_id IS NOT NULL AND EXISTS (
        SELECT FROM transactions_transaction t WHERE t.id = meter_values.transaction_id AND t.closing = 'open')
"""


def apply_retention(*, now: datetime, is_dry_run: bool = False, limit_s: float | None = None) -> list[Removed]:
    """Delete samples and roll-ups that are older than the settings say; return what was examined.

    Samples stay until they are rolled up, and as long as their transaction is open.

    :param limit_s: begin no deletion after so many seconds; the next run goes on.
    """
    deadline = None if limit_s is None else time.monotonic() + limit_s
    removed = []
    if settings.METER_VALUES_RETENTION_DAYS:
        removed += _remove_samples(now, is_dry_run, deadline)
    if settings.ROLLUP_15M_RETENTION_DAYS:
        removed += _remove_quarters(now, is_dry_run, deadline)
    if settings.ROLLUP_DAY_RETENTION_DAYS:
        before = now - timedelta(days=settings.ROLLUP_DAY_RETENTION_DAYS)
        removed += _remove_rollups("meter_rollup_day", DAYS_VIEW, before, is_dry_run, deadline)
    return removed


def _remove_samples(now: datetime, is_dry_run: bool, deadline: float | None) -> list[Removed]:
    before = samples_before(now)
    if before is None:
        return []
    if not is_dry_run:
        with transaction.atomic():
            row = RollupProgress.objects.select_for_update().get_or_create()[0]
            since = row.samples_from
            row.samples_from = max(since or before, before)
            row.save(update_fields=["samples_from"])
        if has_continuous_aggregates():
            refresh_continuous_aggregates(since=since, until=before, now=now)
    return [
        remove_before(
            relation="meter_values",
            column="effective_at",
            before=before,
            is_dry_run=is_dry_run,
            unless=_OF_OPEN_TRANSACTION,
            deadline=deadline,
        )
    ]


def samples_before(now: datetime) -> datetime | None:
    """Return the instant before which samples may be deleted: their retention is over, and they are rolled up by
    quarter and by day; None while nothing is rolled up."""
    limits = [now - timedelta(days=settings.METER_VALUES_RETENTION_DAYS)]
    if not has_continuous_aggregates():  # those are refreshed up to there before anything is deleted
        row = RollupProgress.objects.first()
        if row is None or row.days_until is None:
            return None
        limits.append(row.days_until)
    limits += _present(LateMark.objects.aggregate(Min("bucket")))
    if is_hypertable("meter_values"):
        opened = Transaction.objects.open().aggregate(Min("started_at"), Min("start_received_at"))
        limits += [instant - MARGIN for instant in _present(opened)]
    return min(limits)


def _remove_quarters(now: datetime, is_dry_run: bool, deadline: float | None) -> list[Removed]:
    before = (now - timedelta(days=settings.ROLLUP_15M_RETENTION_DAYS)).astimezone(UTC)
    before = before.replace(hour=0, minute=0, second=0, microsecond=0)
    with transaction.atomic():
        row = RollupProgress.objects.select_for_update().first()
        if not has_continuous_aggregates():
            if row is None or row.days_until is None:
                return []
            before = min(before, row.days_until)
        if not is_dry_run:
            row = row or RollupProgress()
            row.quarters_from = max(row.quarters_from or before, before)
            row.save()
    return _remove_rollups("meter_rollup_15m", QUARTERS_VIEW, before, is_dry_run, deadline)


def _remove_rollups(
    table: str, view: str, before: datetime, is_dry_run: bool, deadline: float | None
) -> list[Removed]:
    relations = [table, view] if has_continuous_aggregates() else [table]
    return [
        remove_before(relation=relation, column="bucket", before=before, is_dry_run=is_dry_run, deadline=deadline)
        for relation in relations
    ]


def _present(instants: dict[str, datetime | None]) -> list[datetime]:
    return [instant for instant in instants.values() if instant is not None]
