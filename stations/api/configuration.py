"""The configuration of a station as last read."""

from typing import Any

from rest_framework import serializers

from evcharging.api.problems import found
from evcharging.api.serializers import RowSerializer
from evcharging.api.views import ListViewSet
from stations.models import ConfigurationKey, Station


class ConfigurationKeySerializer(RowSerializer):
    """One key; change it with the command ChangeConfiguration."""

    is_unknown = serializers.BooleanField(help_text="The station said that it does not know the key.")

    class Meta:
        model = ConfigurationKey
        fields = ("key", "value", "readonly", "is_unknown", "pending_value", "read_at")
        read_only_fields = fields


class StationConfigurationViewSet(ListViewSet):
    """The configuration of one station as last read; read it again with the command GetConfiguration."""

    queryset = ConfigurationKey.objects.all()
    serializer_class = ConfigurationKeySerializer
    orderings = {"key": "key"}

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        station = found(Station.objects.with_identity(self.kwargs["identity"]).first(), "station")
        return self.queryset.filter(station=station)
