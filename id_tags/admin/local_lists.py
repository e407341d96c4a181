"""Local lists in the back office: what each station has, and what is on its way to it."""

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import display

from evcharging.back_office.display import BAD, GOOD, NEWS, ago, at, badge, link, list_url, when
from evcharging.back_office.filters import PeriodFilter
from evcharging.back_office.model_admins import ReadOnlyAdmin
from evcharging.back_office.panels import Panel, PanelContent
from id_tags.models import LocalList, LocalListUpdate, LocalListUpdateStatus
from stations.admin import StationAdmin
from stations.models import Station

KINDS = {
    LocalListUpdateStatus.SENDING: NEWS,
    LocalListUpdateStatus.ACCEPTED: GOOD,
    LocalListUpdateStatus.FAILED: BAD,
}


def state_of(update: LocalListUpdate) -> SafeString:
    sent = update.parts - len(update.remaining)
    text = f"Part {sent} of {update.parts}" if update.status == "sending" else update.get_status_display()
    return badge(text, KINDS[LocalListUpdateStatus(update.status)])


@admin.register(LocalListUpdate)
class LocalListUpdateAdmin(ReadOnlyAdmin):
    ordering = ("-pk",)
    list_display = ("begun", "of_station", "update_type", "tags", "state", "note", "requested_by")
    list_filter = (
        ("status", ChoicesDropdownFilter), ("station", AutocompleteSelectFilter), ("created_at", PeriodFilter),
    )  # fmt: skip
    list_select_related = ("station",)
    search_fields = ("station__identity", "station__name")
    search_help_text = "Station"
    fields = (
        "station", "update_type", "status", "parts", "note", "command", "requested_by", "via", "created_at",
        "ended_at", "wanted",
    )  # fmt: skip

    @display(description="Begun", ordering="created_at")
    def begun(self, update: LocalListUpdate) -> SafeString:
        return when(update.created_at)

    @display(description="Station", ordering="station__identity")
    def of_station(self, update: LocalListUpdate) -> SafeString:
        return link(update.station)

    @display(description="Tags")
    def tags(self, update: LocalListUpdate) -> int:
        return len(update.wanted)

    @display(description="State", ordering="status")
    def state(self, update: LocalListUpdate) -> SafeString:
        return state_of(update)


def list_of(request: HttpRequest, station: Station) -> PanelContent:
    """Which local list the station has, and the latest that was sent."""
    known = LocalList.objects.filter(station=station).first()
    rows = [
        [link(update, at(update.created_at)), update.update_type, len(update.wanted), state_of(update)]
        for update in station.local_list_updates.order_by("-pk")[:5]
    ]
    if known is not None:
        said = "" if known.reported_version is None else f", it says {known.reported_version}"
        version = f"Version {known.version}{said}"
        rows.insert(0, [ago(known.updated_at), version, len(known.entries), ""])
    return PanelContent(
        {
            "headers": ["When", "What", "Tags", "State"],
            "rows": rows,
            "empty": "It was given no local list.",
            "more_url": list_url("id_tags.locallistupdate", station__id__exact=station.pk),
        }
    )


StationAdmin.add_panel(
    Panel("Local list", "back_office/table.html", list_of, "id_tags.locallistupdate", 48, is_narrow=True)
)
