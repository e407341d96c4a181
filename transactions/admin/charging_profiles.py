"""Charging profiles and composite schedules in the back office: read-only; commands change them."""

from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import display

from evcharging.back_office.display import duration, shortened, when
from evcharging.back_office.filters import PeriodFilter
from evcharging.back_office.model_admins import ReadOnlyAdmin
from stations.admin.columns import of_station
from transactions.admin.badges import profile_badge
from transactions.models import ChargingProfile, CompositeSchedule


def limits_of(schedule: Any, unit: str) -> str:
    """Return the first limits of a schedule in a line: "16 A, from 1 h on 10 A"."""
    periods = schedule.get("periods") if isinstance(schedule, dict) else None
    limits = []
    for period in periods[:5] if isinstance(periods, list) else []:
        if not isinstance(period, dict):
            continue  # a composite schedule comes from the station: its parts may have any type
        start, limit = period.get("starts_s", 0), shortened(str(period.get("limit")), 20)
        is_later = isinstance(start, int) and start > 0
        limits.append(f"from {duration(start)} on {limit} {unit}" if is_later else f"{limit} {unit}")
    return ", ".join(limits) + (" …" if isinstance(periods, list) and len(periods) > 5 else "")


@admin.register(ChargingProfile)
class ChargingProfileAdmin(ReadOnlyAdmin):
    ordering = ("-pk",)
    list_display = ("number", of_station, "connector_id", "purpose", "kind", "stack_level", "limits", "state")
    list_filter = (
        ("status", ChoicesDropdownFilter), ("purpose", ChoicesDropdownFilter), ("station", AutocompleteSelectFilter),
        ("created_at", PeriodFilter),
    )  # fmt: skip
    list_select_related = ("station",)
    search_fields = ("station__identity", "station__name")
    search_help_text = "Station"
    fields = (
        "charging_profile_id", "station", "connector_id", "transaction", "purpose", "kind", "recurrency_kind",
        "stack_level", "valid_from", "valid_to", "rate_unit", "schedule", "status", "result_status", "command",
        "cleared_by_command", "created_at", "ended_at",
    )  # fmt: skip

    @display(description="Id", ordering="charging_profile_id")
    def number(self, row: ChargingProfile) -> str:
        return str(row.charging_profile_id)

    @display(description="Limits")
    def limits(self, row: ChargingProfile) -> str:
        return limits_of(row.schedule, row.rate_unit)

    @display(description="State", ordering="status")
    def state(self, row: ChargingProfile) -> SafeString:
        return profile_badge(row)


@admin.register(CompositeSchedule)
class CompositeScheduleAdmin(ReadOnlyAdmin):
    ordering = ("-pk",)
    list_display = ("received", of_station, "connector_id", "limits")
    list_filter = (("station", AutocompleteSelectFilter), ("received_at", PeriodFilter))
    list_select_related = ("station",)
    search_fields = ("station__identity", "station__name")
    fields = ("station", "connector_id", "command", "starts_at", "schedule", "received_at")

    @display(description="Received", ordering="received_at")
    def received(self, row: CompositeSchedule) -> SafeString:
        return when(row.received_at)

    @display(description="Limits")
    def limits(self, row: CompositeSchedule) -> str:
        return limits_of(row.schedule, str(row.schedule.get("unit", "")))
