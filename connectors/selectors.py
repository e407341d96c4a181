"""Reads of connectors."""

from collections.abc import Iterable

from django.db.models import Count, Q, QuerySet

from connectors.models import Connector, ConnectorStatus


def only_connector_id(*, station_id: int) -> int | None:
    """Return the one connector of a station, connector 0 aside; None where it has none or several."""
    rows = Connector.objects.filter(station_id=station_id, connector_id__gt=0)
    found = list(rows.values_list("connector_id", flat=True)[:2])
    return found[0] if len(found) == 1 else None


def faulted() -> QuerySet[Connector]:
    """Return the connectors that report a fault: the status, or an error code beside another status."""
    return Connector.objects.filter(Q(status=ConnectorStatus.FAULTED) | ~Q(error_code__in=("", "NoError")))


def faulted_counts(station_ids: Iterable[int]) -> dict[int, int]:
    """Return how many connectors of each station report a fault; stations without one are left out."""
    rows = faulted().filter(station_id__in=station_ids).order_by().values_list("station_id")
    return dict(rows.annotate(Count("pk")))
