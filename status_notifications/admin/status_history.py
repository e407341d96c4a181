"""Status history in the back office: a read-only list, and a station's latest."""

from datetime import timedelta

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, MultipleChoicesDropdownFilter
from unfold.decorators import display

from evcharging.back_office.display import (
    BAD,
    GOOD,
    NEWS,
    NOTHING,
    PLAIN,
    UNSURE,
    badge,
    link,
    list_url,
    literal,
    when,
)
from evcharging.back_office.filters import LastDayFilter, PeriodFilter
from evcharging.back_office.model_admins import HypertableAdmin
from evcharging.back_office.panels import Panel, PanelContent
from stations.admin import StationAdmin
from stations.models import Station
from status_notifications.models import StatusCode, StatusNotification
from status_notifications.selectors import latest_statuses

KINDS = {
    StatusCode.OTHER: PLAIN,
    StatusCode.AVAILABLE: GOOD,
    StatusCode.PREPARING: NEWS,
    StatusCode.CHARGING: NEWS,
    StatusCode.SUSPENDED_EVSE: UNSURE,
    StatusCode.SUSPENDED_EV: UNSURE,
    StatusCode.FINISHING: NEWS,
    StatusCode.RESERVED: NEWS,
    StatusCode.UNAVAILABLE: UNSURE,
    StatusCode.FAULTED: BAD,
}
LATEST = 20


@admin.register(StatusNotification)
class StatusNotificationAdmin(HypertableAdmin):
    """Without a station, the last day of the chosen period: as much as can be put in order without an index for it."""

    list_display = (
        "at",
        "of_station",
        "connector_id",
        "state",
        "error",
        "info_text",
        "reported",
        "received",
    )
    list_filter = (
        ("station", AutocompleteSelectFilter),
        ("status", MultipleChoicesDropdownFilter),
        ("effective_at", LastDayFilter),
    )
    list_select_related = ("station",)
    list_before_template = "back_office/hypertable_hint.html"
    hint = "Of all stations together, the last day of the period is shown. Choose a station to see more."
    time_ordering = ("-effective_at", "station_id", "connector_id", "status")

    def without_station(
        self, queryset: QuerySet[StatusNotification], period: PeriodFilter
    ) -> QuerySet[StatusNotification]:
        _, until = period.bounds
        return queryset.filter(effective_at__gte=(until or timezone.now()) - timedelta(days=1))

    @display(description="Time")
    def at(self, row: StatusNotification) -> SafeString:
        return when(row.effective_at)

    @display(description="Station")
    def of_station(self, row: StatusNotification) -> SafeString:
        return link(row.station)

    @display(description="Status")
    def state(self, row: StatusNotification) -> SafeString:
        return state_of(row)

    @display(description="Error")
    def error(self, row: StatusNotification) -> SafeString | str:
        return error_of(row)

    @display(description="Info")
    def info_text(self, row: StatusNotification) -> SafeString:
        return literal(row.info, 60)

    @display(description="Reported time")
    def reported(self, row: StatusNotification) -> SafeString:
        return when(row.reported_at)

    @display(description="Received")
    def received(self, row: StatusNotification) -> SafeString:
        return when(row.received_at)


def state_of(row: StatusNotification) -> SafeString:
    """Return the status as a badge."""
    code = StatusCode(row.status)
    return badge(code.label or "other", KINDS[code])


def error_of(row: StatusNotification) -> SafeString | str:
    """Return the error code, with the vendor's."""
    words = [word for word in (row.error_code, row.vendor_error_code) if word not in ("", "NoError")]
    return badge(" · ".join(words), BAD) if words else NOTHING


def latest(request: HttpRequest, station: Station) -> PanelContent:
    """The latest statuses of a station's connectors."""
    return PanelContent(
        {
            "headers": ["Time", "Connector", "Status", "Error", "Info"],
            "rows": [
                [
                    when(row.effective_at),
                    row.connector_id,
                    state_of(row),
                    error_of(row),
                    literal(row.info, 60),
                ]
                for row in latest_statuses(station_id=station.pk, limit=LATEST)
            ],
            "empty": "No status yet.",
            "more_url": list_url("status_notifications.statusnotification", station__id__exact=station.pk),
        }
    )


StationAdmin.add_panel(
    Panel(
        "Latest statuses",
        "back_office/table.html",
        latest,
        "status_notifications.statusnotification",
        30,
        is_narrow=True,
    )
)
