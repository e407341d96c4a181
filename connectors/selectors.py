"""What is known of connectors."""

from connectors.models import Connector


def only_connector_id(*, station_id: int) -> int | None:
    """Return the one outlet of a single-outlet station, None where it has none or several."""
    outlets = Connector.objects.filter(station_id=station_id, connector_id__gt=0).values_list("connector_id", flat=True)
    found = list(outlets[:2])
    return found[0] if len(found) == 1 else None
