"""The API's resource of connectors: the latest status of each."""

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters
from rest_framework import serializers

from connectors.models import Connector, ConnectorStatus
from connectors.selectors import faulted
from evcharging.api.filters import TrueOrFalseFilter, WholeNumberFilter
from evcharging.api.serializers import RowSerializer
from evcharging.api.views import ReadViewSet
from stations.api.filters import StationFilter


class ConnectorSerializer(RowSerializer):
    """One connector, or the station itself (connector_id 0), as it last reported."""

    station = serializers.CharField(source="station.identity")
    status = serializers.CharField(help_text="The station's word, OCPP's or any other; empty until it tells one.")
    is_faulted = serializers.BooleanField()

    class Meta:
        model = Connector
        fields = (
            "id", "station", "connector_id", "label", "status", "error_code", "info", "vendor_id",
            "vendor_error_code", "is_faulted", "status_at", "status_reported_at", "status_received_at",
            "last_meter_stop_wh",
        )  # fmt: skip
        read_only_fields = fields


class ConnectorFilterSet(filters.FilterSet):
    station = StationFilter()
    connector_id = WholeNumberFilter()
    status = filters.ChoiceFilter(choices=ConnectorStatus.choices)
    faulted = TrueOrFalseFilter(method="reporting_fault", label="Whether it reports a fault.")

    def reporting_fault(self, queryset: QuerySet[Connector], name: str, value: bool) -> QuerySet[Connector]:
        found = Q(pk__in=faulted().values("pk"))
        return queryset.filter(found if value else ~found)


class ConnectorViewSet(ReadViewSet):
    """Connectors with their latest status; they are made by what stations report."""

    queryset = Connector.objects.select_related("station")
    serializer_class = ConnectorSerializer
    filterset_class = ConnectorFilterSet
    orderings = {"id": "id"}
