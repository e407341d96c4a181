"""Updates of stations' local authorisation lists: read-only."""

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import display

from evcharging.back_office.display import when
from evcharging.back_office.filters import PeriodFilter
from evcharging.back_office.model_admins import ReadOnlyAdmin
from id_tags.admin.badges import update_badge
from id_tags.models import LocalListUpdate
from stations.admin.columns import of_station


@admin.register(LocalListUpdate)
class LocalListUpdateAdmin(ReadOnlyAdmin):
    ordering = ("-pk",)
    list_display = ("begun", of_station, "update_type", "tags", "state", "note", "requested_by")
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

    @display(description="Tags")
    def tags(self, update: LocalListUpdate) -> int:
        return len(update.wanted)

    @display(description="State", ordering="status")
    def state(self, update: LocalListUpdate) -> SafeString:
        return update_badge(update)
