"""Meter values in the back office: read-only lists, and the charts and samples of a transaction."""

from collections.abc import Sequence
from datetime import timedelta

from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, DropdownFilter
from unfold.decorators import display

from evcharging.back_office.display import NOTHING, anchor, link, list_url, literal, when
from evcharging.back_office.filters import LastDayFilter, PeriodFilter
from evcharging.back_office.model_admins import HypertableAdmin, ReadOnlyAdmin
from evcharging.back_office.panels import Panel, PanelContent
from meter.charts import Chart, bar_chart, chart
from meter.models import MeterValue, Series
from meter.rollups.aggregates import station_days_energy
from meter.selectors import Column, curves, sample_table
from meter.types import UNITS
from stations.admin import StationAdmin
from stations.models import Station
from transactions.admin import TransactionAdmin
from transactions.models import Transaction

MEASURANDS = (
    "Energy.Active.Import.Register", "Energy.Active.Export.Register", "Energy.Reactive.Import.Register",
    "Energy.Reactive.Export.Register", "Energy.Active.Import.Interval", "Energy.Active.Export.Interval",
    "Energy.Reactive.Import.Interval", "Energy.Reactive.Export.Interval", "Power.Active.Import", "Power.Active.Export",
    "Power.Reactive.Import", "Power.Reactive.Export", "Power.Offered", "Power.Factor", "Current.Import",
    "Current.Export", "Current.Offered", "Voltage", "Frequency", "Temperature", "SoC", "RPM",
)  # fmt: skip
"""OCPP 1.6 §7.31."""
SYMBOLS = {"Celsius": "°C", "Percent": "%"}
LATEST_STATIONS = 5
CHARTED_DAYS = 30
INSTANTS_PER_PAGE = 25


def canonical_unit(unit: str) -> str:
    """Return the unit in which values of a station's unit are kept, as a person writes it."""
    return _symbol(UNITS[unit].canonical if unit in UNITS else unit)


def words_of(series: Series) -> str:
    """Return what a series measures: the defaults of OCPP are left out."""
    words = [series.measurand, series.phase]
    words += [series.location] if series.location != "Outlet" else []
    words += [series.context] if series.context != "Sample.Periodic" else []
    words += [series.format] if series.format != "Raw" else []
    return " · ".join(word for word in words if word)


class MeasurandFilter(DropdownFilter):
    """A list that is known, since asking the table for it would read all of it."""

    title = "measurand"
    parameter_name = "measurand"
    column = "measurand"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Sequence[tuple[str, str]]:
        return [(name, name) for name in MEASURANDS]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(**{self.column: self.value()}) if self.value() else queryset


class ValueMeasurandFilter(MeasurandFilter):
    column = "series__measurand"


@admin.register(Series)
class SeriesAdmin(ReadOnlyAdmin):
    ordering = ("-pk",)
    list_display = ("measured", "of_station", "connector_id", "unit", "samples")
    list_filter = (MeasurandFilter, ("station", AutocompleteSelectFilter))
    list_select_related = ("station",)
    search_fields = ("station__identity", "station__name", "measurand")
    search_help_text = "Station or measurand"
    fields = ("station", "connector_id", "measurand", "phase", "location", "context", "format", "unit")

    @display(description="Measured", ordering="measurand")
    def measured(self, series: Series) -> str:
        return words_of(series)

    @display(description="Station", ordering="station__identity")
    def of_station(self, series: Series) -> SafeString:
        return link(series.station)

    @display(description="Samples")
    def samples(self, series: Series) -> SafeString:
        url = list_url("meter.metervalue", series__station__id__exact=series.station_id, measurand=series.measurand)
        return anchor(url, "latest")


@admin.register(MeterValue)
class MeterValueAdmin(HypertableAdmin):
    """Without a station, only those of the stations heard of last: nothing else has an index to offer."""

    list_display = ("at", "of_station", "connector", "measured", "reading", "of_transaction", "reported", "raw_text")
    list_filter = (
        ("series__station", AutocompleteSelectFilter), ValueMeasurandFilter, ("transaction", AutocompleteSelectFilter),
        ("effective_at", LastDayFilter),
    )  # fmt: skip
    list_select_related = ("series__station", "transaction")
    list_before_template = "back_office/hypertable_hint.html"
    hint = f"The {LATEST_STATIONS} stations heard of last are shown. Choose a station to see its samples."
    time_ordering = ("-effective_at", "series_id", "value")
    station_parameter = "series__station__id__exact"

    def without_station(self, queryset: QuerySet[MeterValue], period: PeriodFilter) -> QuerySet[MeterValue]:
        heard = Station.objects.filter(last_seen_at__isnull=False).order_by("-last_seen_at")
        return queryset.filter(series__station_id__in=list(heard.values_list("pk", flat=True)[:LATEST_STATIONS]))

    @display(description="Time")
    def at(self, sample: MeterValue) -> SafeString:
        return when(sample.effective_at)

    @display(description="Station")
    def of_station(self, sample: MeterValue) -> SafeString:
        return link(sample.series.station)

    @display(description="Conn.")
    def connector(self, sample: MeterValue) -> int:
        return sample.series.connector_id

    @display(description="Measured")
    def measured(self, sample: MeterValue) -> str:
        return words_of(sample.series)

    @display(description="Value")
    def reading(self, sample: MeterValue) -> str:
        return NOTHING if sample.value is None else f"{sample.value:,.10g} {canonical_unit(sample.series.unit)}"

    @display(description="Transaction")
    def of_transaction(self, sample: MeterValue) -> SafeString:
        if sample.transaction is not None:
            return link(sample.transaction)
        return literal(sample.transaction_ref, 24)

    @display(description="Reported time")
    def reported(self, sample: MeterValue) -> SafeString:
        return when(sample.reported_at)

    @display(description="Raw")
    def raw_text(self, sample: MeterValue) -> SafeString:
        return literal(sample.raw, 40)


def charts_of(request: HttpRequest, row: Transaction) -> PanelContent:
    """Energy, power and state of charge of a transaction over time."""
    found = curves(row)
    register = [(at, value) for at, value in found.register]
    if row.meter_start is not None:
        register = [(row.started_at, float(row.meter_start)), *register]
    if row.meter_stop is not None and row.stopped_at is not None:
        register.append((row.stopped_at, float(row.meter_stop)))
    register.sort()
    base = float(row.meter_start) if row.meter_start is not None else (register[0][1] if register else 0.0)
    energy = [(at, (value - base) / 1000) for at, value in register]
    power = [(at, value / 1000) for at, value in found.power]
    instants = [row.started_at, row.stopped_at or row.last_message_at]
    instants += [at for curve in (energy, power, found.soc) for at, _ in curve]
    since, until = min(instants), max(instants)
    if until - since < timedelta(minutes=1):
        until = since + timedelta(minutes=1)
    drawn: list[Chart] = []
    if len(energy) > 1:
        drawn.append(chart(energy, title="Energy", unit="kWh", since=since, until=until, digits=3))
    if power:
        drawn.append(chart(power, title="Power", unit="kW", since=since, until=until, digits=2, is_stepped=True))
    if found.soc:
        drawn.append(chart(found.soc, title="State of charge", unit="%", since=since, until=until, digits=0))
    return PanelContent({"charts": drawn})


def energy_of(request: HttpRequest, station: Station) -> PanelContent:
    """Energy of the last days, by the station's calendar."""
    today = timezone.now().astimezone(station.zone).date()
    days = station_days_energy(station, today - timedelta(days=CHARTED_DAYS - 1), today)
    if not any(day.energy_wh or day.fell for day in days):
        return PanelContent({"chart": None})
    total = sum(day.energy_wh for day in days) / 1000
    drawn = bar_chart(
        [(f"{day.day:%b %d}", day.energy_wh / 1000, day.fell) for day in days],
        title=f"Energy of the last {CHARTED_DAYS} days",
        summary=f"{total:,.1f} kWh",
        unit="kWh",
        digits=1,
    )
    return PanelContent({"chart": drawn, "zone": station.time_zone, "any_fell": any(day.fell for day in days)})


def samples_of(request: HttpRequest, row: Transaction) -> PanelContent:
    """A page of the transaction's samples, one line per instant."""
    asked = request.GET.get("samples", "1")
    page = min(max(int(asked), 1), 10_000) if asked.isascii() and asked.isdecimal() else 1
    table = sample_table(row, page=page, size=INSTANTS_PER_PAGE)
    since = row.started_at - timedelta(days=1)
    until = (row.stopped_at or timezone.now()) + timedelta(days=1)
    return PanelContent(
        {
            "columns": [(column.measurand, _detail(column), _symbol(column.unit)) for column in table.columns],
            "lines": [
                (
                    line.at,
                    "" if line.context == "Sample.Periodic" else line.context,
                    [line.values.get(column, "") for column in table.columns],
                )
                for line in table.lines
            ],
            "anchor": "samples",
            "page": page,
            "has_next": table.has_next,
            "more": "As a list",
            "more_url": list_url(
                "meter.metervalue",
                series__station__id__exact=row.station_id,
                transaction__id__exact=row.pk,
                effective_at_from_0=f"{since:%Y-%m-%d}",
                effective_at_to_0=f"{until:%Y-%m-%d}",
            ),
        }
    )


def _detail(column: Column) -> str:
    words = [column.phase, "" if column.location == "Outlet" else column.location]
    return " ".join(word for word in words if word)


def _unusual(context: str) -> str:
    return "" if context == "Sample.Periodic" else context


def _symbol(unit: str) -> str:
    return SYMBOLS.get(unit, unit)


StationAdmin.add_panel(
    Panel(f"Energy of the last {CHARTED_DAYS} days", "admin/meter/energy.html", energy_of, "meter.metervalue", 25)
)
TransactionAdmin.add_panel(Panel("", "admin/meter/charts.html", charts_of, "meter.metervalue", 10))
TransactionAdmin.add_panel(Panel("Samples", "admin/meter/samples.html", samples_of, "meter.metervalue", 20))
