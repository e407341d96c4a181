"""Connectors in the back office: what each outlet says, and what is printed on it."""

from collections.abc import Sequence

from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.db.models import Exists, Model, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, DropdownFilter, MultipleChoicesDropdownFilter
from unfold.decorators import action, display

from connectors.admin import operation_forms  # noqa: F401 - registers them
from connectors.models import Connector, ConnectorStatus
from connectors.selectors import faulted, faulted_counts
from evcharging.back_office.display import (
    BAD,
    GOOD,
    NEWS,
    NOTHING,
    UNSURE,
    ago,
    anchor,
    badge,
    between,
    joined,
    link,
    literal,
)
from evcharging.back_office.model_admins import BackOfficeAdmin
from evcharging.back_office.panels import Finding, Panel, PanelContent
from stations.admin import StationAdmin
from stations.admin.commanding import COMMAND_PERMISSION
from stations.admin.commands import reverse_query
from stations.admin.fleet import StationChangeList
from stations.models import Station

STATUS_KINDS = {
    ConnectorStatus.AVAILABLE: GOOD,
    ConnectorStatus.PREPARING: NEWS,
    ConnectorStatus.CHARGING: NEWS,
    ConnectorStatus.SUSPENDED_EVSE: UNSURE,
    ConnectorStatus.SUSPENDED_EV: UNSURE,
    ConnectorStatus.FINISHING: NEWS,
    ConnectorStatus.RESERVED: NEWS,
    ConnectorStatus.UNAVAILABLE: UNSURE,
    ConnectorStatus.FAULTED: BAD,
}
REPORTED = (
    "station", "connector_id", "evse_id", "status", "error_code", "info", "vendor_id", "vendor_error_code",
    "status_at", "status_reported_at", "status_received_at", "last_meter_stop_wh",
)  # fmt: skip


class FaultFilter(DropdownFilter):
    title = "fault"
    parameter_name = "fault"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Sequence[tuple[str, str]]:
        return [("yes", "Reports a fault"), ("no", "Reports none")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "yes":
            return queryset.filter(pk__in=faulted().values("pk"))
        if self.value() == "no":
            return queryset.exclude(pk__in=faulted().values("pk"))
        return queryset


class FaultedStationFilter(FaultFilter):
    """Stations by the faults of their connectors."""

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        found = Exists(faulted().filter(station=OuterRef("pk")))
        if self.value():
            return queryset.filter(found if self.value() == "yes" else ~found)
        return queryset


@admin.register(Connector)
class ConnectorAdmin(BackOfficeAdmin):
    """Connectors are made by what stations report; only the label is ours."""

    ordering = ("station__identity", "connector_id")
    list_display = ("outlet", "of_station", "state", "error", "info_text", "since", "label")
    list_filter = (
        ("status", MultipleChoicesDropdownFilter), FaultFilter, ("station", AutocompleteSelectFilter),
    )  # fmt: skip
    list_select_related = ("station",)
    search_fields = ("station__identity", "station__name", "label")
    search_help_text = "Station or label"
    fields = ("label", *REPORTED)
    readonly_fields = REPORTED

    actions_detail = ("change_availability", "unlock")

    def has_command_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return request.user.has_perm(COMMAND_PERMISSION)

    @action(description="Change availability", icon="toggle_on", url_path="availability", permissions=["command"])
    def change_availability(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(command_url(get_object_or_404(Connector, pk=object_id), "ChangeAvailability"))

    @action(description="Unlock", icon="lock_open", url_path="unlock", permissions=["command"])
    def unlock(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(command_url(get_object_or_404(Connector, pk=object_id), "UnlockConnector"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @display(description="Connector", ordering="connector_id")
    def outlet(self, connector: Connector) -> str:
        return name_of(connector)

    @display(description="Station", ordering="station__identity")
    def of_station(self, connector: Connector) -> SafeString:
        return link(connector.station)

    @display(description="Status", ordering="status")
    def state(self, connector: Connector) -> SafeString:
        return state_of(connector)

    @display(description="Error")
    def error(self, connector: Connector) -> SafeString:
        return error_of(connector)

    @display(description="Info")
    def info_text(self, connector: Connector) -> SafeString | str:
        return literal(connector.info, 60)

    @display(description="Since", ordering="status_at")
    def since(self, connector: Connector) -> SafeString:
        return ago(connector.status_at)


def command_url(connector: Connector, action_name: str) -> str:
    """Return the form of a command to the connector's station, with the connector filled in."""
    url = reverse("admin:stations_station_command", args=[connector.station_id, action_name])
    return reverse_query(url, connectorId=str(connector.connector_id))


def commands_for(connector: Connector) -> SafeString:
    """Return links to what can be done to a connector."""
    links = [anchor(command_url(connector, "ChangeAvailability"), "Availability")]
    if not connector.is_station_itself:
        links.append(anchor(command_url(connector, "UnlockConnector"), "Unlock"))
    return joined(links)


def name_of(connector: Connector) -> str:
    """Return what a person calls the connector."""
    if connector.is_station_itself:
        return "0 · station itself"
    return f"{connector.connector_id} · {connector.label}" if connector.label else str(connector.connector_id)


def state_of(connector: Connector) -> SafeString:
    """Return the status a connector reported as a badge."""
    if connector.status in ConnectorStatus.values:
        status_badge = badge(connector.status, STATUS_KINDS[ConnectorStatus(connector.status)])
        if connector.availability_command_id is None:
            return status_badge
        return joined([status_badge, badge(f"{connector.wanted_availability} to come", UNSURE)])
    return badge(connector.status or "not yet reported")


def error_of(connector: Connector) -> SafeString:
    """Return the error a connector reports, with the vendor's code."""
    code = "" if connector.error_code == "NoError" else connector.error_code
    words = [word for word in (code, connector.vendor_error_code) if word]
    if not words:
        return NOTHING
    return badge(" · ".join(words), BAD if connector.is_faulted else UNSURE)


def states(request: HttpRequest, station: Station) -> PanelContent:
    """What each connector of a station says, since when; faults are findings."""
    connectors = list(station.connectors.order_by("connector_id")[:50])
    may_command = request.user.has_perm(COMMAND_PERMISSION)
    rows = [
        [
            link(connector, name_of(connector)),
            state_of(connector),
            error_of(connector),
            literal(connector.info),
            ago(connector.status_at),
            *([commands_for(connector)] if may_command else []),
        ]
        for connector in connectors
    ]
    now = timezone.now()
    found = []
    for connector in connectors:
        name = "The station itself" if connector.is_station_itself else f"Connector {connector.connector_id}"
        since = "" if connector.status_at is None else f" for {between(connector.status_at, now)}"
        if connector.is_faulted:
            words = [connector.error_code, connector.vendor_error_code, connector.info]
            said = ", ".join(word for word in words if word not in ("", "NoError"))
            found.append(Finding("danger", f"{name} reports a fault{since}: {said or connector.status}."))
        elif connector.status == ConnectorStatus.UNAVAILABLE:
            found.append(Finding("warning", f"{name} is Unavailable{since}."))
    return PanelContent(
        {
            "headers": ["Connector", "Status", "Error", "Info", "Since", *([""] if may_command else [])],
            "rows": rows,
            "empty": "No connector has reported its status yet.",
        },
        found,
    )


StationAdmin.add_panel(Panel("Connectors", "back_office/table.html", states, "connectors.connector", 10))
StationAdmin.list_filter = (*StationAdmin.list_filter, FaultedStationFilter)
StationChangeList.counters["faulted_count"] = faulted_counts
