"""Series: which measurands each station reports, with phase, location and unit; read-only."""

from collections.abc import Sequence

from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, DropdownFilter
from unfold.decorators import display

from evcharging.back_office.display import anchor, list_url
from evcharging.back_office.model_admins import ReadOnlyAdmin
from meter.models import Series
from stations.admin.columns import of_station

MEASURANDS = (
    "Energy.Active.Import.Register", "Energy.Active.Export.Register", "Energy.Reactive.Import.Register",
    "Energy.Reactive.Export.Register", "Energy.Active.Import.Interval", "Energy.Active.Export.Interval",
    "Energy.Reactive.Import.Interval", "Energy.Reactive.Export.Interval", "Power.Active.Import", "Power.Active.Export",
    "Power.Reactive.Import", "Power.Reactive.Export", "Power.Offered", "Power.Factor", "Current.Import",
    "Current.Export", "Current.Offered", "Voltage", "Frequency", "Temperature", "SoC", "RPM",
)  # fmt: skip
"""OCPP 1.6 §7.31."""


def series_name(series: Series) -> str:
    """Return measurand, phase, location, context and format of a series, without those that are OCPP's defaults."""
    parts = [series.measurand, series.phase]
    parts += [series.location] if series.location != "Outlet" else []
    parts += [series.context] if series.context != "Sample.Periodic" else []
    parts += [series.format] if series.format != "Raw" else []
    return " · ".join(part for part in parts if part)


class MeasurandFilter(DropdownFilter):
    """Offers OCPP's measurands: SELECT DISTINCT over the table would read all of it."""

    title = "measurand"
    parameter_name = "measurand"
    column = "measurand"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Sequence[tuple[str, str]]:
        return [(name, name) for name in MEASURANDS]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(**{self.column: self.value()}) if self.value() else queryset


@admin.register(Series)
class SeriesAdmin(ReadOnlyAdmin):
    ordering = ("-pk",)
    list_display = ("measured", of_station, "connector_id", "unit", "samples")
    list_filter = (MeasurandFilter, ("station", AutocompleteSelectFilter))
    list_select_related = ("station",)
    search_fields = ("station__identity", "station__name", "measurand")
    search_help_text = "Station or measurand"
    fields = ("station", "connector_id", "measurand", "phase", "location", "context", "format", "unit")

    @display(description="Measured", ordering="measurand")
    def measured(self, series: Series) -> str:
        return series_name(series)

    @display(description="Samples")
    def samples(self, series: Series) -> SafeString:
        url = list_url("meter.metervalue", series__station__id__exact=series.station_id, measurand=series.measurand)
        return anchor(url, "latest")
