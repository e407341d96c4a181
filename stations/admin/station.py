"""Stations in the back office: list, page, form, registration and passwords."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from evcharging.back_office.confirmation import confirm
from evcharging.back_office.display import BAD, GOOD, NEWS, NOTHING, PLAIN, UNSURE, ago, badge, drift
from evcharging.back_office.extensible_lists import ExtensibleListAdmin
from evcharging.back_office.filters import value_filter
from evcharging.back_office.panels import PanelPage
from stations.admin import passwords
from stations.admin.badges import status_badge
from stations.admin.commanding import CommandingAdmin
from stations.admin.forms import StationForm
from stations.admin.station_list import (
    MAX_DRIFT_S,
    STATION_FACTS,
    STATION_FILTERS,
    BootFilter,
    DeviationsFilter,
    DriftFilter,
    OnlineFilter,
)
from stations.admin.station_page import STATION_PAGE
from stations.models import RegistrationStatus, Station
from stations.services.enrolment import (
    accept_stations,
    hold_stations,
    reject_stations,
    set_station_password,
    station_saved,
)

DECISIONS = {
    RegistrationStatus.ACCEPTED: accept_stations,
    RegistrationStatus.REJECTED: reject_stations,
    RegistrationStatus.PENDING: hold_stations,
}

REPORTED = (
    "vendor", "model", "firmware_version", "charge_point_serial_number", "charge_box_serial_number", "meter_type",
    "meter_serial_number", "iccid", "imsi", "last_boot_at", "last_seen_at", "connected_at", "disconnected_at",
    "remote_address", "clock_drift_s", "first_accepted_at", "created_at",
)  # fmt: skip


@admin.register(Station)
class StationAdmin(CommandingAdmin, PanelPage, ExtensibleListAdmin):
    layout = STATION_PAGE
    row_facts = STATION_FACTS
    more_filters = STATION_FILTERS
    form = StationForm
    ordering = ("identity",)
    list_display = (
        "station", "connection", "registration", "last_seen", "hardware", "clock", "open_transactions", "faults",
        "deviations_seen",
    )  # fmt: skip
    list_filter: tuple[Any, ...] = (
        OnlineFilter, ("registration_status", admin.ChoicesFieldListFilter), BootFilter, DriftFilter, DeviationsFilter,
        value_filter("vendor", "vendor"), value_filter("firmware_version", "firmware"),
    )  # fmt: skip
    search_fields = ("identity", "name", "charge_point_serial_number", "charge_box_serial_number")
    search_help_text = "Identity, name or serial number"
    actions = ("accept", "reject", "set_passwords", "command_many")
    actions_detail = ("send_command", "set_password", "clear_password")
    readonly_fields = REPORTED
    fieldsets = (
        (None, {"fields": ("identity", "name", "registration_status", "time_zone")}),
        (
            "Habits of this charger",
            {
                "classes": ("collapse",),
                "fields": (
                    "id_tag_transform", "allow_any_username", "assumed_version", "heartbeat_interval_s",
                    "ping_interval_s", "idle_limit_s", "response_delay_ms", "call_timeout_s",
                    "reads_configuration_by_key",
                ),
            },
        ),
        ("Reported", {"classes": ("collapse",), "fields": REPORTED}),
    )  # fmt: skip
    add_fieldsets = ((None, {"fields": ("identity", "name", "registration_status", "time_zone")}),)
    kept_by = (
        "local_list_updates", "reservations", "charging_profiles", "commands", "transactions", "orphans", "connectors",
        "series", "status_notifications",
    )  # fmt: skip
    instead_of_deleting = "Reject it instead."

    def get_readonly_fields(self, request: HttpRequest, obj: Station | None = None) -> tuple[str, ...]:
        return REPORTED if obj is None else ("identity", *REPORTED)

    # The list

    @display(description="Station", ordering="identity")
    def station(self, station: Station) -> SafeString:
        return format_html('<span class="bo-two">{}<small>{}</small></span>', station.identity, station.name)

    @display(description="Connection", ordering="disconnected_at")
    def connection(self, station: Station) -> SafeString:
        if getattr(station, "online_now", False):
            return badge("Online", GOOD)
        if station.connected_at is None:
            return badge("Never", PLAIN, "It has never connected")
        return badge("Offline", BAD)

    @display(description="Status", ordering="registration_status")
    def registration(self, station: Station) -> SafeString:
        return status_badge(station.registration_status)

    @display(description="Last seen", ordering="last_seen_at")
    def last_seen(self, station: Station) -> SafeString:
        return ago(station.last_seen_at)

    @display(description="Hardware", ordering="vendor")
    def hardware(self, station: Station) -> SafeString:
        name = " ".join(filter(None, [station.vendor, station.model]))
        return format_html('<span class="bo-two">{}<small>{}</small></span>', name, station.firmware_version)

    @display(description="Clock", ordering="clock_drift_s")
    def clock(self, station: Station) -> str:
        off = station.clock_drift_s is not None and abs(station.clock_drift_s) > MAX_DRIFT_S
        text = drift(station.clock_drift_s)
        return badge(text, UNSURE, "More than a minute off") if off else text

    @display(description="Charging")
    def open_transactions(self, station: Station) -> str:
        return _counted(station, "open_transaction_count", NEWS)

    @display(description="Faults")
    def faults(self, station: Station) -> str:
        return _counted(station, "faulted_count", BAD)

    @display(description="Deviations")
    def deviations_seen(self, station: Station) -> str:
        return _counted(station, "deviation_count", UNSURE)

    # Saving

    def save_model(self, request: HttpRequest, obj: Station, form: StationForm, change: bool) -> None:
        """UPDATE only the changed columns: the gateway writes others of the same row concurrently."""
        status = RegistrationStatus(obj.registration_status)
        if change:
            obj.save(update_fields=[name for name in form.changed_data if name != "registration_status"])
        else:
            obj.registration_status = RegistrationStatus.PENDING
            obj.save(force_insert=True)
        DECISIONS[status](station_ids=[obj.pk], now=timezone.now())
        obj.refresh_from_db(fields=["registration_status", "first_accepted_at"])
        station_saved(station_id=obj.pk)

    # Registration

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.registration_view)
        return [
            path("<path:object_id>/registration/", view, name="stations_station_registration"),
            *super().get_urls(),
        ]

    def registration_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Set the registration status of a station from the buttons on its page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_change_permission(request):
            raise PermissionDenied
        if request.POST.get("status") not in RegistrationStatus.values:
            return HttpResponseRedirect("../change/")
        station = get_object_or_404(Station, pk=object_id)
        self._decide(request, Station.objects.filter(pk=station.pk), RegistrationStatus(request.POST["status"]))
        return HttpResponseRedirect("../change/")

    @admin.action(description="Accept", permissions=["change"])
    def accept(self, request: HttpRequest, queryset: QuerySet[Station]) -> None:
        self._decide(request, queryset, RegistrationStatus.ACCEPTED)

    @admin.action(description="Reject", permissions=["change"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Station]) -> None:
        self._decide(request, queryset, RegistrationStatus.REJECTED)

    def _decide(self, request: HttpRequest, queryset: QuerySet[Station], status: RegistrationStatus) -> None:
        changing = list(queryset.exclude(registration_status=status))
        with transaction.atomic():
            changed = DECISIONS[status](station_ids=[station.pk for station in changing], now=timezone.now())
            self.log_changes(request, changing, f"Registration status: {status.value}.")
        names = changing[0].identity if len(changing) == 1 else f"{changed} stations"
        if changed:
            self.message_user(request, f"{names}: {status.value}.", messages.SUCCESS)
        else:
            self.message_user(request, f"Nothing to do: {status.value} already.", messages.INFO)

    # Passwords

    @admin.action(description="Set new passwords", permissions=["change"])
    def set_passwords(self, request: HttpRequest, queryset: QuerySet[Station]) -> HttpResponse:
        return passwords.set_many(self, request, queryset)

    @action(description="Set password", icon="key", url_path="set-password", permissions=["change"])
    def set_password(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return passwords.set_one(self, request, get_object_or_404(Station, pk=object_id))

    @action(description="Clear password", icon="key_off", url_path="clear-password", permissions=["change"])
    def clear_password(self, request: HttpRequest, object_id: str) -> HttpResponse:
        station = get_object_or_404(Station, pk=object_id)

        def act() -> None:
            with transaction.atomic():
                set_station_password(station_id=station.pk, password="")
                self.log_changes(request, [station], "Password cleared.")
            self.message_user(request, f"{station.identity} connects without a password now.", messages.SUCCESS)

        return confirm(
            request,
            self,
            act=act,
            obj=station,
            title=f"Clear the password of {station.identity}?",
            explanation="Whoever knows its identity can then connect as this station.",
            submit="Clear password",
            is_dangerous=True,
        )


def _counted(station: Station, name: str, kind: str) -> str:
    count = getattr(station, name, None)
    return badge(count, kind) if count else NOTHING
