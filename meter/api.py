"""The API's resource of meter values: samples of a station in a period, or of a transaction."""

from datetime import timedelta
from typing import Any

from django import forms
from django.db.models import QuerySet
from rest_framework import serializers

from evcharging.api.filters import PeriodFilterSet, TextFilter, WholeNumberFilter
from evcharging.api.problems import found
from evcharging.api.serializers import RowSerializer
from evcharging.api.views import ListViewSet
from meter.models import MeterValue
from meter.selectors import samples_of, series_ids_of
from meter.types import UNITS, reported_text
from stations.api.filters import StationFilter
from stations.models import Station
from transactions.models import Transaction

MAX_PERIOD = timedelta(days=31)


class MeterValueSerializer(RowSerializer):
    """One sample; `value` is in the canonical `unit` (Wh, W, …), `reported_value` in the station's own."""

    station = serializers.CharField(source="series.station.identity")
    connector_id = serializers.IntegerField(source="series.connector_id", help_text="0 is the main meter.")
    transaction_id = serializers.IntegerField(source="transaction.transaction_id", default=None, allow_null=True)
    measurand = serializers.CharField(source="series.measurand")
    phase = serializers.CharField(source="series.phase")
    location = serializers.CharField(source="series.location")
    context = serializers.CharField(source="series.context")  # type: ignore[assignment]
    format = serializers.CharField(source="series.format")
    unit = serializers.SerializerMethodField()
    reported_value = serializers.SerializerMethodField()
    reported_unit = serializers.CharField(source="series.unit")

    class Meta:
        model = MeterValue
        fields = (
            "station", "connector_id", "transaction_id", "transaction_ref", "effective_at", "reported_at",
            "measurand", "phase", "location", "context", "format", "value", "unit", "reported_value", "reported_unit",
        )  # fmt: skip
        read_only_fields = fields

    def get_unit(self, row: MeterValue) -> str:
        unit = row.series.unit
        return UNITS[unit].canonical if unit in UNITS else unit

    def get_reported_value(self, row: MeterValue) -> str:
        return row.raw if row.raw or row.value is None else reported_text(row.value, row.series.unit)


class MeterValueForm(forms.Form):
    """Require a transaction, or a station and a period: the table has billions of rows."""

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        if self.errors or said.get("transaction_id") is not None:
            return said
        if not said.get("station"):
            self.add_error("station", "Name a station (with since and until) or a transaction_id.")
            return said
        since, until = said.get("since"), said.get("until")
        for name in ("since", "until"):
            if not said.get(name):
                self.add_error(name, "With a station, since and until are needed.")
        if since and until and until - since > MAX_PERIOD:
            self.add_error("until", f"At most {MAX_PERIOD.days} days after since.")
        return said


class SeriesOfStationFilter(StationFilter):
    """Samples of one station, by the ids of its series."""

    def filter(self, qs: QuerySet[MeterValue], value: Any) -> QuerySet[MeterValue]:
        if not value:
            return qs
        pk = Station.objects.with_identity(value).values_list("pk", flat=True).first()
        return qs.none() if pk is None else qs.filter(series_id__in=series_ids_of([pk]))


class MeterValueFilterSet(PeriodFilterSet):
    time_column = "effective_at"

    station = SeriesOfStationFilter()
    transaction_id = WholeNumberFilter(method="of_transaction", label="As the station knows it.")
    connector_id = WholeNumberFilter(field_name="series__connector_id")
    measurand = TextFilter(field_name="series__measurand")
    phase = TextFilter(field_name="series__phase")
    context = TextFilter(field_name="series__context")

    class Meta:
        form = MeterValueForm

    def of_transaction(self, queryset: QuerySet[MeterValue], name: str, value: int) -> QuerySet[MeterValue]:
        row = Transaction.objects.filter(transaction_id=value).first()
        return queryset.none() if row is None else queryset & samples_of(row)


class MeterValueViewSet(ListViewSet):
    """Samples of a station, from `since` until `until` (31 days at most), or of a transaction; in time order."""

    queryset = MeterValue.objects.select_related("series__station", "transaction")
    serializer_class = MeterValueSerializer
    filterset_class = MeterValueFilterSet
    orderings = {"effective_at": "effective_at"}


class TransactionMeterValueFilterSet(PeriodFilterSet):
    time_column = "effective_at"

    measurand = TextFilter(field_name="series__measurand")
    phase = TextFilter(field_name="series__phase")
    context = TextFilter(field_name="series__context")


class TransactionMeterValueViewSet(MeterValueViewSet):
    """Samples of one transaction, in time order."""

    filterset_class = TransactionMeterValueFilterSet

    def get_queryset(self) -> QuerySet[MeterValue]:
        rows = Transaction.objects.filter(transaction_id=self.kwargs["transaction_id"])
        return super().get_queryset() & samples_of(found(rows.first(), "transaction"))
