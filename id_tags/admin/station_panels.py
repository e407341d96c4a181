"""What id tags add to a station's page."""

from django.http import HttpRequest

from evcharging.back_office.display import ago, at, link, list_url
from evcharging.back_office.panels import PanelContent
from id_tags.admin.badges import update_badge
from id_tags.models import LocalList
from stations.admin.station_page import STATION_PAGE
from stations.models import Station

LATEST = 5


@STATION_PAGE.panel("local_list", title="Local list", model="id_tags.locallistupdate")
def local_list(request: HttpRequest, station: Station) -> PanelContent:
    """Show the version of the station's local list, and the latest updates that were sent."""
    known = LocalList.objects.filter(station=station).first()
    rows = [
        [link(update, at(update.created_at)), update.update_type, len(update.wanted), update_badge(update)]
        for update in station.local_list_updates.order_by("-pk")[:LATEST]
    ]
    if known is not None:
        reported = "" if known.reported_version is None else f", it says {known.reported_version}"
        version = f"Version {known.version}{reported}"
        rows.insert(0, [ago(known.updated_at), version, len(known.entries), ""])
    return PanelContent(
        {
            "headers": ["When", "What", "Tags", "State"],
            "rows": rows,
            "empty": "It was given no local list.",
            "more_url": list_url("id_tags.locallistupdate", station__id__exact=station.pk),
        }
    )
