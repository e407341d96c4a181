"""Transactions in the back office: read-only, but for stopping remotely, and closing one whose stop never came."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import ModelAdmin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    BooleanRadioFilter,
    ChoicesDropdownFilter,
    DropdownFilter,
)
from unfold.decorators import action, display

from evcharging.back_office.confirmation import ReasonForm, confirm
from evcharging.back_office.display import BAD, badge, kwh, literal, nowrap, when
from evcharging.back_office.filters import PeriodFilter
from evcharging.back_office.model_admins import ActionsWhile, ReadOnlyAdmin
from evcharging.back_office.panels import PanelPage
from stations.admin.columns import of_station
from stations.admin.operation_links import operation_url
from stations.admin.permissions import CommandPermission
from transactions.admin.badges import closing_badge, mark_badges, running_values
from transactions.admin.transaction_page import TRANSACTION_PAGE
from transactions.admin.transaction_panels import facts
from transactions.models import Mark, Transaction
from transactions.operations import StopCharging
from transactions.selectors import matching
from transactions.services.closing import TransactionNotOpen, close_transaction


class MarkFilter(DropdownFilter):
    title = "mark"
    parameter_name = "mark"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Sequence[tuple[str, str]]:
        return [("any", "Any mark"), ("none", "No mark"), *Mark.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Transaction]) -> QuerySet[Transaction]:
        value = self.value()
        if value == "any":
            return queryset.exclude(marks=[])
        if value == "none":
            return queryset.filter(marks=[])
        return queryset.filter(marks__contains=[value]) if value in Mark.values else queryset


@admin.register(Transaction)
class TransactionAdmin(CommandPermission, ActionsWhile, PanelPage, ReadOnlyAdmin):
    layout = TRANSACTION_PAGE
    ordering = ("-started_at", "-pk")
    list_display = (
        "number", of_station, "connector_number", "tag_text", "started", "stopped", "energy", "now", "state", "marked",
    )  # fmt: skip
    list_filter = (
        ("closing", ChoicesDropdownFilter), MarkFilter, ("accepted", BooleanRadioFilter),
        ("station", AutocompleteSelectFilter), ("tag", AutocompleteSelectFilter), ("started_at", PeriodFilter),
    )  # fmt: skip
    list_select_related = ("station", "connector")
    search_fields = ("transaction_id",)  # makes Django show the box; get_search_results defines the search
    search_help_text = "Transaction id, tag or station"
    actions_detail = ("stop_remotely", "close")
    fieldsets = (
        (
            "Start as reported",
            {
                "classes": ("collapse",),
                "fields": (
                    "transaction_id", "station", "connector", "reported_connector_id", "id_tag", "tag",
                    "told_authorization",
                    "reservation_id", "started_by_command", "start_timestamp_raw", "meter_start_raw", "meter_start",
                    "start_is_credible", "started_at", "start_reported_at", "start_received_at", "id_seen_at",
                ),
            },
        ),
        (
            "End",
            {
                "classes": ("collapse",),
                "fields": (
                    "closing", "stopped_at", "stop_reported_at", "stop_received_at", "meter_stop", "reason",
                    "stop_id_tag", "estimated_stopped_at", "estimated_energy_wh", "estimate_cause", "closed_by",
                    "close_note",
                ),
            },
        ),
        (
            "Running values",
            {
                "classes": ("collapse",),
                "fields": (
                    "energy_wh", "last_register_wh", "last_register_at", "power_w", "power_at", "soc_percent",
                    "soc_at", "last_message_at",
                ),
            },
        ),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transaction]:
        return super().get_queryset(request).select_related("station", "connector", "tag", "started_by_command")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Transaction], search_term: str
    ) -> tuple[QuerySet[Transaction], bool]:
        return matching(queryset, search_term), False

    def has_close_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("transactions.change_transaction")

    # The list

    @display(description="Id", ordering="transaction_id")
    def number(self, row: Transaction) -> str:
        return str(row.transaction_id)

    @display(description="Conn.", ordering="connector__connector_id")
    def connector_number(self, row: Transaction) -> int:
        return row.connector.connector_id

    @display(description="Tag", ordering="id_tag_folded")
    def tag_text(self, row: Transaction) -> SafeString:
        text = literal(row.id_tag, 24)
        if row.accepted:
            return text
        return format_html("{} {}", text, badge(row.told_authorization.get("status", "refused"), BAD))

    @display(description="Started", ordering="started_at")
    def started(self, row: Transaction) -> SafeString:
        return when(row.started_at)

    @display(description="Stopped", ordering="stopped_at")
    def stopped(self, row: Transaction) -> SafeString:
        return when(row.stopped_at)

    @display(description="Energy", ordering="energy_wh")
    def energy(self, row: Transaction) -> SafeString:
        return nowrap(kwh(row.energy_wh))

    @display(description="Now")
    def now(self, row: Transaction) -> SafeString:
        return nowrap(running_values(row))

    @display(description="State", ordering="closing")
    def state(self, row: Transaction) -> SafeString:
        return closing_badge(row)

    @display(description="Marks")
    def marked(self, row: Transaction) -> SafeString:
        return mark_badges(row.marks)

    @display(description="Stop reason")
    def reason(self, row: Transaction) -> str:
        """The label of a known word, any other word as it is."""
        return row.get_stop_reason_display()

    # Stopping and closing

    @action(description="Stop charging", icon="power_settings_new", url_path="stop", permissions=["command"])
    def stop_remotely(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = get_object_or_404(Transaction, pk=object_id)
        url = operation_url(row.station_id, StopCharging, transaction_ref=row.ref)
        return HttpResponseRedirect(url)

    def actionable(self) -> QuerySet[Transaction]:
        return Transaction.objects.open()

    @action(description="Close transaction", icon="stop_circle", url_path="close", permissions=["close"])
    def close(self, request: HttpRequest, object_id: str) -> HttpResponse:
        row = get_object_or_404(Transaction.objects.select_related("station"), pk=object_id)
        form = ReasonForm(request.POST or None)
        if not row.is_open and not form.is_valid():
            text = f"Transaction {row.transaction_id} has ended already."
            self.message_user(request, text, messages.ERROR)
            return HttpResponseRedirect("../change/")

        def act() -> None:
            try:
                close_transaction(
                    pk=row.pk,
                    closed_by=request.user.get_username(),
                    note=form.cleaned_data["note"],
                    now=timezone.now(),
                )
            except TransactionNotOpen as error:
                self.message_user(request, f"Nothing was closed: {error}.", messages.ERROR)
            else:
                self.log_changes(request, [row], "Closed.")
                text = f"Transaction {row.transaction_id} is closed as of its last reading, until its own stop comes."
                self.message_user(request, text, messages.SUCCESS)

        return confirm(
            request,
            self,
            act=act,
            obj=row,
            title=f"Close transaction {row.transaction_id}?",
            explanation=(
                "It ends here as of its last reading, estimated. Nothing is sent to the charger; should it still "
                "report the stop, that replaces the estimate."
            ),
            submit="Close transaction",
            form=form,
            facts=facts(row),
        )
