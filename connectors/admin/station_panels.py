"""What connectors add to a station's page and to the list of stations."""

from datetime import datetime

from django.db.models import Exists, OuterRef
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from connectors.admin.badges import connector_badge, connector_error_badge, connector_name
from connectors.admin.connector import FaultFilter
from connectors.models import Connector, ConnectorStatus
from connectors.operations import ChangeAvailability, UnlockConnector
from connectors.selectors import faulted, faulted_counts
from evcharging.back_office.display import ago, anchor, between, joined, link, literal
from evcharging.back_office.panels import Finding, PanelContent
from stations.admin.operation_links import operation_url
from stations.admin.permissions import may_command
from stations.admin.station_list import STATION_FACTS, STATION_FILTERS
from stations.admin.station_page import STATION_PAGE
from stations.models import Station
from stations.operations import Operation

SHOWN = 50


@STATION_PAGE.panel("connectors", title="Connectors", model="connectors.connector")
def connectors(request: HttpRequest, station: Station) -> PanelContent:
    """Show each connector's latest status; faults and unavailability are findings."""
    rows = list(station.connectors.order_by("connector_id")[:SHOWN])
    may_operate = may_command(request)
    return PanelContent(
        {
            "headers": ["Connector", "Status", "Error", "Info", "Since", *([""] if may_operate else [])],
            "rows": [
                [
                    link(connector, connector_name(connector)),
                    connector_badge(connector),
                    connector_error_badge(connector),
                    literal(connector.info),
                    ago(connector.status_at),
                    *([_operations(connector)] if may_operate else []),
                ]
                for connector in rows
            ],
            "empty": "No connector has reported its status yet.",
        },
        _findings(rows, timezone.now()),
    )


def _operations(connector: Connector) -> SafeString:
    """Return links to the forms of the operations on a connector, with the connector filled in."""
    number = str(connector.connector_id)
    offered: list[tuple[type[Operation], str]] = [(ChangeAvailability, "Availability")]
    offered += [] if connector.is_station_itself else [(UnlockConnector, "Unlock")]
    return joined(
        anchor(operation_url(connector.station_id, operation, connector_id=number), text)
        for operation, text in offered
    )


def _findings(connectors: list[Connector], now: datetime) -> list[Finding]:
    found = []
    for connector in connectors:
        name = "The station itself" if connector.is_station_itself else f"Connector {connector.connector_id}"
        since = "" if connector.status_at is None else f" for {between(connector.status_at, now)}"
        if connector.is_faulted:
            reported = (connector.error_code, connector.vendor_error_code, connector.info)
            error = ", ".join(text for text in reported if text not in ("", "NoError"))
            found.append(Finding("danger", f"{name} reports a fault{since}: {error or connector.status}."))
        elif connector.status == ConnectorStatus.UNAVAILABLE:
            found.append(Finding("warning", f"{name} is Unavailable{since}."))
    return found


@STATION_FACTS.register("faulted_count")
def faulted_count(stations: list[Station]) -> dict[int, int]:
    return faulted_counts(station.pk for station in stations)


@STATION_FILTERS.register("fault")
class FaultedStationFilter(FaultFilter):
    """Filters stations by whether any of their connectors reports a fault."""

    condition = Exists(faulted().filter(station=OuterRef("pk")))
