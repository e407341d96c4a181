"""Deviations and refused connections."""

from django_filters import rest_framework as filters
from rest_framework import serializers

from evcharging.api.filters import PeriodFilterSet, TextFilter
from evcharging.api.serializers import RowSerializer
from evcharging.api.views import ReadViewSet
from stations.api.filters import StationFilter
from stations.models import Deviation, RefusalReason, RefusedConnection


class DeviationSerializer(RowSerializer):
    """One way in which a station's messages break the specification, counted."""

    station = serializers.CharField(source="station.identity")

    class Meta:
        model = Deviation
        fields = (
            "id", "station", "firmware_version", "action", "field", "rule", "sample", "count", "first_seen_at",
            "last_seen_at",
        )  # fmt: skip
        read_only_fields = fields


class DeviationFilterSet(PeriodFilterSet):
    time_column = "last_seen_at"

    station = StationFilter()
    action = TextFilter()
    rule = TextFilter()
    firmware_version = TextFilter()


class DeviationViewSet(ReadViewSet):
    """Deviations of stations from the specification; since and until are of when they were last seen."""

    queryset = Deviation.objects.select_related("station")
    serializer_class = DeviationSerializer
    filterset_class = DeviationFilterSet
    orderings = {"-last_seen_at": "last_seen_at", "id": "id", "count": "count"}


class RefusedConnectionSerializer(RowSerializer):
    """Connection attempts of one identity that were refused for one reason, counted."""

    class Meta:
        model = RefusedConnection
        fields = ("id", "identity", "reason", "remote_address", "detail", "count", "first_seen_at", "last_seen_at")
        read_only_fields = fields


class RefusedConnectionFilterSet(PeriodFilterSet):
    time_column = "last_seen_at"

    identity = TextFilter(lookup_expr="iexact")
    reason = filters.ChoiceFilter(choices=RefusalReason.choices)


class RefusedConnectionViewSet(ReadViewSet):
    """Refused connections; since and until are of when they were last seen."""

    queryset = RefusedConnection.objects.all()
    serializer_class = RefusedConnectionSerializer
    filterset_class = RefusedConnectionFilterSet
    orderings = {"-last_seen_at": "last_seen_at", "id": "id", "count": "count"}
