"""The transaction that a message without a usable id belongs to: the only one that fits, or none.

One rule for messages that arrive and for those that wait and are checked again.
"""

from datetime import datetime
from decimal import Decimal

from django.db.models import Q

from id_tags.models import fold_id_tag
from transactions.models import OrphanKind, OrphanMessage, Transaction


def fitting_orphan(orphan: OrphanMessage) -> Transaction | None:
    """Return the one transaction that fits a waiting message, not locked; None where none or several do."""
    if orphan.kind == OrphanKind.STOP:
        return only_awaiting(
            station_id=orphan.station_id,
            id_tag=orphan.id_tag or None,
            meter_stop=orphan.meter_stop,
            stopped_at=orphan.effective_at,
        )
    return only_running(
        station_id=orphan.station_id,
        connector_id=orphan.connector_id or 0,
        since=orphan.effective_at,
        until=orphan.last_effective_at or orphan.effective_at,
    )


def only_awaiting(
    *, station_id: int, id_tag: str | None, meter_stop: Decimal | None, stopped_at: datetime
) -> Transaction | None:
    """Return the station's one transaction awaiting a stop that tag, register (Wh) and time allow."""
    rows = Transaction.objects.awaiting_stop().filter(station_id=station_id, started_at__lte=stopped_at)
    if id_tag is not None:
        rows = rows.filter(id_tag_folded=fold_id_tag(id_tag))
    if meter_stop is not None:
        rows = rows.filter(Q(meter_start=None) | Q(meter_start__lte=meter_stop))
        rows = rows.filter(Q(last_register_wh=None) | Q(last_register_wh__lte=meter_stop))
    fitting = list(rows[:2])
    return fitting[0] if len(fitting) == 1 else None


def only_running(*, station_id: int, connector_id: int, since: datetime, until: datetime) -> Transaction | None:
    """Return the only transaction that ran on the connector (0: on any) in [since, until], if it ran all that time."""
    rows = Transaction.objects.filter(
        Q(stopped_at=None) | Q(stopped_at__gte=since), station_id=station_id, started_at__lte=until
    )
    if connector_id > 0:
        rows = rows.filter(connector__connector_id=connector_id)
    found = list(rows.order_by("pk")[:2])
    if len(found) != 1:
        return None
    (row,) = found
    ran_throughout = row.started_at <= since and (row.stopped_at is None or row.stopped_at >= until)
    return row if ran_throughout else None
