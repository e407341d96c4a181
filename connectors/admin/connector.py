"""Connectors in the back office: their latest status as reported; only the label is edited."""

from django.contrib import admin
from django.db.models import Exists, Model, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, MultipleChoicesDropdownFilter
from unfold.decorators import action, display

from connectors.admin.badges import connector_badge, connector_error_badge, connector_name
from connectors.models import Connector
from connectors.operations import ChangeAvailability, UnlockConnector
from connectors.selectors import faulted
from evcharging.back_office.display import ago, literal
from evcharging.back_office.filters import YesNoFilter
from evcharging.back_office.model_admins import BackOfficeAdmin
from stations.admin.columns import of_station
from stations.admin.operation_links import operation_url
from stations.admin.permissions import CommandPermission
from stations.operations import Operation

REPORTED = (
    "station", "connector_id", "state", "error_code", "info", "vendor_id", "vendor_error_code",
    "status_at", "status_reported_at", "status_received_at", "last_meter_stop_wh",
)  # fmt: skip


class FaultFilter(YesNoFilter):
    title = "fault"
    parameter_name = "fault"
    yes, no = "Reports a fault", "Reports none"
    condition: Q | Exists = Q(pk__in=faulted().values("pk"))


@admin.register(Connector)
class ConnectorAdmin(CommandPermission, BackOfficeAdmin):
    """Connectors are created by what stations report, and never deleted."""

    ordering = ("station__identity", "connector_id")
    list_display = ("name", of_station, "state", "error", "info_text", "since", "label")
    list_filter = (
        ("status", MultipleChoicesDropdownFilter), FaultFilter, ("station", AutocompleteSelectFilter),
    )  # fmt: skip
    list_select_related = ("station",)
    search_fields = ("station__identity", "station__name", "label")
    search_help_text = "Station or label"
    fields = ("label", *REPORTED)
    readonly_fields = REPORTED
    actions_detail = ("change_availability", "unlock")

    @action(description="Change availability", icon="toggle_on", url_path="availability", permissions=["command"])
    def change_availability(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._redirect_to(ChangeAvailability, object_id)

    @action(description="Unlock", icon="lock_open", url_path="unlock", permissions=["command"])
    def unlock(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._redirect_to(UnlockConnector, object_id)

    def _redirect_to(self, operation: type[Operation], pk: str) -> HttpResponse:
        """Lead to the form of an operation, with the connector filled in."""
        connector = get_object_or_404(Connector, pk=pk)
        url = operation_url(connector.station_id, operation, connector_id=str(connector.connector_id))
        return HttpResponseRedirect(url)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @display(description="Connector", ordering="connector_id")
    def name(self, connector: Connector) -> str:
        return connector_name(connector)

    @display(description="Status", ordering="status")
    def state(self, connector: Connector) -> SafeString:
        return connector_badge(connector)

    @display(description="Error")
    def error(self, connector: Connector) -> SafeString:
        return connector_error_badge(connector)

    @display(description="Info")
    def info_text(self, connector: Connector) -> SafeString | str:
        return literal(connector.info, 60)

    @display(description="Since", ordering="status_at")
    def since(self, connector: Connector) -> SafeString:
        return ago(connector.status_at)
