"""manage.py reconcile, and the messages it looks at."""

from datetime import datetime, timedelta
from io import StringIO
from typing import Any

from django.core.management import call_command
from django.utils import timezone

from stations.models import Station
from tests.support.factories import stop
from transactions.models import OrphanKind, OrphanMessage


def run_reconcile(*options: str) -> tuple[int, list[str]]:
    """Reconcile and return the exit code and what is said."""
    out = StringIO()
    try:
        call_command("reconcile", *options, stdout=out)
    except SystemExit as leaving:
        return leaving.code, out.getvalue().splitlines()
    return 0, out.getvalue().splitlines()


def recent(minutes_ago: int) -> datetime:
    return timezone.now() - timedelta(minutes=minutes_ago)


def orphan_stop(station: Station, **fields: Any) -> OrphanMessage:
    stop(station, **({"transaction_ref": "-1", "content_hash": b"o" * 16} | fields))
    return OrphanMessage.objects.get(kind=OrphanKind.STOP)
