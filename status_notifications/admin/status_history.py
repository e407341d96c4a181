"""Status history in the back office: a read-only list of a hypertable."""

from datetime import timedelta

from django.contrib import admin
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, MultipleChoicesDropdownFilter
from unfold.decorators import display

from connectors.admin.badges import error_badge
from evcharging.back_office.display import literal, when
from evcharging.back_office.filters import LastDayFilter, PeriodFilter
from evcharging.back_office.model_admins import HypertableAdmin
from stations.admin.columns import of_station
from status_notifications.admin.badges import row_badge
from status_notifications.models import StatusNotification


@admin.register(StatusNotification)
class StatusNotificationAdmin(HypertableAdmin):
    """Without a station in the filter, the last day of the period: more rows cannot be sorted without an index."""

    list_display = (
        "at",
        of_station,
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

    @display(description="Status")
    def state(self, row: StatusNotification) -> SafeString:
        return row_badge(row)

    @display(description="Error")
    def error(self, row: StatusNotification) -> SafeString:
        return error_badge(row.error_code, row.vendor_error_code)

    @display(description="Info")
    def info_text(self, row: StatusNotification) -> SafeString:
        return literal(row.info, 60)

    @display(description="Reported time")
    def reported(self, row: StatusNotification) -> SafeString:
        return when(row.reported_at)

    @display(description="Received")
    def received(self, row: StatusNotification) -> SafeString:
        return when(row.received_at)
