"""What the status history adds to a station's page."""

from django.http import HttpRequest
from django.utils import timezone

from connectors.admin.badges import error_badge
from evcharging.back_office.display import list_url, literal, when
from evcharging.back_office.panels import PanelContent
from stations.admin.station_page import STATION_PAGE
from stations.models import Station
from status_notifications.admin.badges import row_badge
from status_notifications.selectors import latest_statuses as load_latest

LATEST = 20


@STATION_PAGE.panel("latest_statuses", title="Latest statuses", model="status_notifications.statusnotification")
def latest_statuses(request: HttpRequest, station: Station) -> PanelContent:
    """Show the latest statuses of all connectors together."""
    return PanelContent(
        {
            "headers": ["Time", "Connector", "Status", "Error", "Info"],
            "rows": [
                [
                    when(row.effective_at),
                    row.connector_id,
                    row_badge(row),
                    error_badge(row.error_code, row.vendor_error_code),
                    literal(row.info, 60),
                ]
                for row in load_latest(station_id=station.pk, limit=LATEST, now=timezone.now())
            ],
            "empty": "No status yet.",
            "more_url": list_url("status_notifications.statusnotification", station__id__exact=station.pk),
        }
    )
