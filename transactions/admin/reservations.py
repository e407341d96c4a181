"""Reservations and charging profiles in the back office: facts that stations told; commands change them."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import action, display

from evcharging.back_office.display import (
    BAD,
    GOOD,
    NEWS,
    PLAIN,
    ago,
    badge,
    duration,
    link,
    list_url,
    literal,
    shortened,
    when,
)
from evcharging.back_office.filters import PeriodFilter
from evcharging.back_office.model_admins import ReadOnlyAdmin
from evcharging.back_office.panels import Panel, PanelContent
from stations.admin import StationAdmin
from stations.admin.commanding import COMMAND_PERMISSION
from stations.admin.commands import reverse_query
from stations.models import Station
from transactions.models import (
    HELD,
    ChargingProfile,
    CompositeSchedule,
    ProfileStatus,
    Reservation,
    ReservationStatus,
)

KINDS = {
    ReservationStatus.REQUESTED: NEWS,
    ReservationStatus.ACTIVE: GOOD,
    ReservationStatus.REFUSED: BAD,
    ReservationStatus.USED: GOOD,
}
PROFILE_KINDS = {
    ProfileStatus.REQUESTED: NEWS,
    ProfileStatus.ACTIVE: GOOD,
    ProfileStatus.REFUSED: BAD,
}
LATEST = 8


def state_of(row: Reservation) -> SafeString:
    text = row.get_status_display() + (f": {row.result_status}" if row.status == ReservationStatus.REFUSED else "")
    return badge(text, KINDS.get(ReservationStatus(row.status), PLAIN))


def profile_state_of(row: ChargingProfile) -> SafeString:
    text = row.get_status_display() + (f": {row.result_status}" if row.status == ProfileStatus.REFUSED else "")
    return badge(text, PROFILE_KINDS.get(ProfileStatus(row.status), PLAIN))


def limits_of(schedule: Any, unit: str) -> str:
    """Return a schedule's limits in a line: 16 A, from 1 h on 10 A."""
    periods = schedule.get("periods") if isinstance(schedule, dict) else None
    words = []
    for period in periods[:5] if isinstance(periods, list) else []:
        if not isinstance(period, dict):
            continue  # a station's composite schedule may hold anything
        start, limit = period.get("starts_s", 0), shortened(str(period.get("limit")), 20)
        is_later = isinstance(start, int) and start > 0
        words.append(f"from {duration(start)} on {limit} {unit}" if is_later else f"{limit} {unit}")
    return ", ".join(words) + (" …" if isinstance(periods, list) and len(periods) > 5 else "")


@admin.register(Reservation)
class ReservationAdmin(ReadOnlyAdmin):
    ordering = ("-pk",)
    list_display = ("number", "of_station", "connector_id", "id_tag", "until", "state", "used_by", "created_by")
    list_filter = (
        ("status", ChoicesDropdownFilter), ("station", AutocompleteSelectFilter), ("created_at", PeriodFilter),
    )  # fmt: skip
    list_select_related = ("station", "transaction")
    search_fields = ("station__identity", "station__name", "id_tag")
    search_help_text = "Station or tag"
    fields = (
        "reservation_id", "station", "connector_id", "id_tag", "parent_id_tag", "expires_at", "status",
        "result_status", "transaction", "command", "cancel_command", "created_by", "created_at", "ended_at",
    )  # fmt: skip
    actions_detail = ("cancel",)

    def has_command_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(COMMAND_PERMISSION)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer to cancel only what is held."""
        held = Reservation.objects.filter(pk=object_id, status__in=HELD).exists()
        return super().get_actions_detail(request, object_id) if held else []

    @action(description="Cancel it", icon="event_busy", url_path="cancel", permissions=["command"])
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = get_object_or_404(Reservation, pk=object_id)
        url = reverse("admin:stations_station_command", args=[row.station_id, "CancelReservation"])
        return HttpResponseRedirect(reverse_query(url, reservationId=str(row.reservation_id)))

    @display(description="Id", ordering="reservation_id")
    def number(self, row: Reservation) -> str:
        return str(row.reservation_id)

    @display(description="Station", ordering="station__identity")
    def of_station(self, row: Reservation) -> SafeString:
        return link(row.station)

    @display(description="Until", ordering="expires_at")
    def until(self, row: Reservation) -> SafeString:
        return when(row.expires_at)

    @display(description="State", ordering="status")
    def state(self, row: Reservation) -> SafeString:
        return state_of(row)

    @display(description="Used by")
    def used_by(self, row: Reservation) -> SafeString:
        return link(row.transaction)


@admin.register(ChargingProfile)
class ChargingProfileAdmin(ReadOnlyAdmin):
    ordering = ("-pk",)
    list_display = ("number", "of_station", "connector_id", "purpose", "kind", "stack_level", "limits", "state")
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

    @display(description="Station", ordering="station__identity")
    def of_station(self, row: ChargingProfile) -> SafeString:
        return link(row.station)

    @display(description="Limits")
    def limits(self, row: ChargingProfile) -> str:
        return limits_of(row.schedule, row.rate_unit)

    @display(description="State", ordering="status")
    def state(self, row: ChargingProfile) -> SafeString:
        return profile_state_of(row)


@admin.register(CompositeSchedule)
class CompositeScheduleAdmin(ReadOnlyAdmin):
    ordering = ("-pk",)
    list_display = ("received", "of_station", "connector_id", "limits")
    list_filter = (("station", AutocompleteSelectFilter), ("received_at", PeriodFilter))
    list_select_related = ("station",)
    search_fields = ("station__identity", "station__name")
    fields = ("station", "connector_id", "command", "starts_at", "schedule", "received_at")

    @display(description="Received", ordering="received_at")
    def received(self, row: CompositeSchedule) -> SafeString:
        return when(row.received_at)

    @display(description="Station", ordering="station__identity")
    def of_station(self, row: CompositeSchedule) -> SafeString:
        return link(row.station)

    @display(description="Limits")
    def limits(self, row: CompositeSchedule) -> str:
        return limits_of(row.schedule, str(row.schedule.get("unit", "")))


def reservations_of(request: HttpRequest, station: Station) -> PanelContent:
    """The latest reservations of a station."""
    rows = [
        [link(row), row.connector_id, literal(row.id_tag, 24), when(row.expires_at), state_of(row)]
        for row in station.reservations.order_by("-pk")[:LATEST]
    ]
    return PanelContent(
        {
            "headers": ["Id", "Connector", "Tag", "Until", "State"],
            "rows": rows,
            "empty": "Nothing was ever reserved here.",
            "more_url": list_url("transactions.reservation", station__id__exact=station.pk),
        }
    )


def profiles_of(request: HttpRequest, station: Station) -> PanelContent:
    """The charging profiles that the station has, and what it said results from them."""
    active = station.charging_profiles.filter(status__in=(ProfileStatus.ACTIVE, ProfileStatus.REQUESTED))
    rows = [
        [
            link(row),
            row.connector_id,
            row.purpose,
            row.stack_level,
            limits_of(row.schedule, row.rate_unit),
            profile_state_of(row),
        ]
        for row in active.order_by("connector_id", "-stack_level", "-pk")[: 2 * LATEST]
    ]
    latest = station.composite_schedules.order_by("-received_at").first()
    if latest is not None:
        unit = str(latest.schedule.get("unit", ""))
        age = ago(latest.received_at)
        rows.append([link(latest, "Composite"), latest.connector_id, "", "", limits_of(latest.schedule, unit), age])
    return PanelContent(
        {
            "headers": ["Id", "Connector", "Purpose", "Level", "Limits", "State"],
            "rows": rows,
            "empty": "It was given no charging profile.",
            "more_url": list_url("transactions.chargingprofile", station__id__exact=station.pk),
        }
    )


StationAdmin.add_panel(
    Panel("Reservations", "back_office/table.html", reservations_of, "transactions.reservation", 46, is_narrow=True)
)
StationAdmin.add_panel(
    Panel(
        "Charging profiles", "back_office/table.html", profiles_of, "transactions.chargingprofile", 47, is_narrow=True
    )
)
