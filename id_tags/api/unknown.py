"""Unknown tags that were presented."""

from rest_framework import serializers

from evcharging.api.filters import PeriodFilterSet
from evcharging.api.serializers import RowSerializer
from evcharging.api.views import ReadViewSet
from id_tags.models import UnknownIdTag
from stations.api.filters import StationFilter


class UnknownIdTagSerializer(RowSerializer):
    """A tag that was presented and that nobody knows; creating it as an id tag takes it out of here."""

    station = serializers.CharField(source="station.identity", help_text="Where it was last presented.")

    class Meta:
        model = UnknownIdTag
        fields = ("id", "id_tag", "station", "count", "first_seen_at", "last_seen_at")
        read_only_fields = fields


class UnknownIdTagFilterSet(PeriodFilterSet):
    time_column = "last_seen_at"

    station = StationFilter()


class UnknownIdTagViewSet(ReadViewSet):
    """Unknown tags; since and until are of when they were last presented."""

    queryset = UnknownIdTag.objects.select_related("station")
    serializer_class = UnknownIdTagSerializer
    filterset_class = UnknownIdTagFilterSet
    orderings = {"-last_seen_at": "last_seen_at", "id": "id", "count": "count"}
