"""Reservations in the back office: read-only; commands change them."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import action, display

from evcharging.back_office.display import link, when
from evcharging.back_office.filters import PeriodFilter
from evcharging.back_office.model_admins import ActionsWhile, ReadOnlyAdmin
from stations.admin.columns import of_station
from stations.admin.operation_links import operation_url
from stations.admin.permissions import CommandPermission
from transactions.admin.badges import reservation_badge
from transactions.models import HELD, Reservation
from transactions.operations import CancelReservation


@admin.register(Reservation)
class ReservationAdmin(CommandPermission, ActionsWhile, ReadOnlyAdmin):
    ordering = ("-pk",)
    list_display = ("number", of_station, "connector_id", "id_tag", "until", "state", "used_by", "created_by")
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

    def actionable(self) -> QuerySet[Reservation]:
        return Reservation.objects.filter(status__in=HELD)

    @action(description="Cancel it", icon="event_busy", url_path="cancel", permissions=["command"])
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = get_object_or_404(Reservation, pk=object_id)
        url = operation_url(row.station_id, CancelReservation, reservation_id=str(row.reservation_id))
        return HttpResponseRedirect(url)

    @display(description="Id", ordering="reservation_id")
    def number(self, row: Reservation) -> str:
        return str(row.reservation_id)

    @display(description="Until", ordering="expires_at")
    def until(self, row: Reservation) -> SafeString:
        return when(row.expires_at)

    @display(description="State", ordering="status")
    def state(self, row: Reservation) -> SafeString:
        return reservation_badge(row)

    @display(description="Used by")
    def used_by(self, row: Reservation) -> SafeString:
        return link(row.transaction)
