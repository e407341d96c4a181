"""Stations: the fleet as a resource."""

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.db.models import Prefetch
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view

from evcharging.api.problems import found
from evcharging.api.views import EditViewSet
from stations.api.filters import StationFilterSet
from stations.api.serializers import StationChangeSerializer, StationSerializer
from stations.models import Station
from stations.selectors import online_ids
from stations.services.editing import create_station, delete_station, update_station

_CONNECTORS = apps.get_model("connectors", "Connector").objects.order_by("connector_id")  # an app above this one


@extend_schema_view(
    create=extend_schema(
        description="Create a station; its registration_status is Pending if it is left out.",
        responses={201: StationSerializer},
    ),
    partial_update=extend_schema(request=StationChangeSerializer, responses=StationSerializer),
    destroy=extend_schema(description="Delete a station that has no history."),
)
class StationViewSet(EditViewSet):
    """Stations, by their identity as it stands in the charger's URL; its case does not matter."""

    queryset = Station.objects.prefetch_related(Prefetch("connectors", _CONNECTORS))
    serializer_class = StationSerializer
    change_serializer_class = StationChangeSerializer
    filterset_class = StationFilterSet
    lookup_field = "identity"
    lookup_value_converter = "name"
    orderings = {"identity": "identity", "created_at": "created_at"}

    def get_object(self) -> Station:
        stations = self.get_queryset().with_identity(self.kwargs["identity"])  # type: ignore[attr-defined]
        return _with_presence([found(stations.first(), "station")])[0]

    def paginate_queryset(self, queryset: Any) -> Any:
        return _with_presence(super().paginate_queryset(queryset) or [])

    def create_row(self, values: dict[str, Any]) -> Station:
        station = create_station(identity=values.pop("identity"), values=values, now=timezone.now())
        return _with_presence([station])[0]

    def change_row(self, row: Station, values: dict[str, Any]) -> Station:
        update_station(station_id=row.pk, values=values, now=timezone.now())
        return self.get_object()

    def delete_row(self, row: Station) -> None:
        delete_station(station_id=row.pk)


def _with_presence(stations: Iterable[Station]) -> list[Station]:
    """Return the stations with `online_now`, by one query of Redis for all of them."""
    rows = list(stations)
    online = online_ids(stations=rows)
    for station in rows:
        station.online_now = station.pk in online  # type: ignore[attr-defined]
    return rows
