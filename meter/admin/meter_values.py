"""Meter values in the back office: a read-only list of a hypertable."""

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from evcharging.back_office.display import NOTHING, link, literal, when
from evcharging.back_office.filters import LastDayFilter, PeriodFilter
from evcharging.back_office.model_admins import HypertableAdmin
from meter.admin.series import MeasurandFilter, series_name
from meter.admin.units import canonical_symbol
from meter.models import MeterValue
from meter.selectors import series_ids_of
from stations.models import Station

LATEST_STATIONS = 5


class ValueMeasurandFilter(MeasurandFilter):
    column = "series__measurand"


@admin.register(MeterValue)
class MeterValueAdmin(HypertableAdmin):
    """Without a station in the filter, the stations last seen: the table has an index by series and time only."""

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
        return queryset.filter(series_id__in=series_ids_of(heard.values_list("pk", flat=True)[:LATEST_STATIONS]))

    def with_station(self, queryset: QuerySet[MeterValue], station_pk: int) -> QuerySet[MeterValue]:
        return queryset.filter(series_id__in=series_ids_of([station_pk]))

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
        return series_name(sample.series)

    @display(description="Value")
    def reading(self, sample: MeterValue) -> str:
        return NOTHING if sample.value is None else f"{sample.value:,.10g} {canonical_symbol(sample.series.unit)}"

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
