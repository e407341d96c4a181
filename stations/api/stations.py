"""Stations: the fleet as a resource."""

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.db.models import Prefetch
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from evcharging.api.addresses import name_in_address
from evcharging.api.problems import Conflict, NotFound
from evcharging.api.views import ReadViewSet, valid
from stations.api.filters import StationFilterSet
from stations.api.serializers import StationChangeSerializer, StationSerializer
from stations.models import Station
from stations.selectors import online_ids
from stations.services.editing import (
    StationExists,
    StationHasHistory,
    create_station,
    delete_station,
    update_station,
)

_CONNECTORS = apps.get_model("connectors", "Connector").objects.order_by("connector_id")  # an app above this one


class StationViewSet(ReadViewSet):
    """Stations, by their identity as it stands in the charger's URL; its case does not matter."""

    queryset = Station.objects.prefetch_related(Prefetch("connectors", _CONNECTORS))
    serializer_class = StationSerializer
    filterset_class = StationFilterSet
    lookup_field = "identity"
    lookup_value_converter = "name"
    orderings = {"identity": "identity", "created_at": "created_at"}

    def get_object(self) -> Station:
        station = self.get_queryset().with_identity(self.kwargs["identity"]).first()  # type: ignore[attr-defined]
        if station is None:
            raise NotFound("There is no such station.")
        return _with_presence([station])[0]

    def paginate_queryset(self, queryset: Any) -> Any:
        return _with_presence(super().paginate_queryset(queryset) or [])

    @extend_schema(responses={201: StationSerializer})
    def create(self, request: Request) -> Response:
        """Create a station; its registration_status is Pending if it is left out."""
        said = valid(StationSerializer, request)
        identity = said.pop("identity")
        try:
            station = create_station(identity=identity, facts=said, now=timezone.now())
        except StationExists as error:
            raise Conflict(f"{error}.", problem_type="exists") from None
        location = f"{request.path}{name_in_address(identity)}/"
        shown = StationSerializer(_with_presence([station])[0]).data
        return Response(shown, status=201, headers={"Location": location})

    @extend_schema(request=StationChangeSerializer, responses=StationSerializer)
    def partial_update(self, request: Request, identity: str) -> Response:
        """Change what is given, and nothing else."""
        station = self.get_object()
        said = valid(StationChangeSerializer, request, partial=True)
        update_station(station_id=station.pk, facts=said, now=timezone.now())
        return Response(StationSerializer(self.get_object()).data)

    def destroy(self, request: Request, identity: str) -> Response:
        """Delete a station that has no history."""
        try:
            delete_station(station_id=self.get_object().pk)
        except StationHasHistory as error:
            raise Conflict(f"{error}.", problem_type="has-history") from None
        return Response(status=204)


def _with_presence(stations: Iterable[Station]) -> list[Station]:
    """Return the stations with `online_now`, asked for once for all of them."""
    rows = list(stations)
    online = online_ids(stations=rows)
    for station in rows:
        station.online_now = station.pk in online  # type: ignore[attr-defined]
    return rows
