"""Filters of stations, and of rows by their station."""

from typing import Any

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters

from evcharging.api.filters import TextFilter, TrueOrFalseFilter
from stations.models import RegistrationStatus, Station
from stations.selectors import online_ids


class StationFilter(TextFilter):
    """Rows of one station, by its identity, ignoring case.

    The station is looked up first, so that the query of a big table uses its index by station_id.
    """

    def __init__(self, *args: Any, field_name: str = "station_id", **kwargs: Any) -> None:
        super().__init__(*args, field_name=field_name, label="Identity of the station.", **kwargs)

    def filter(self, qs: QuerySet, value: Any) -> QuerySet:
        if not value:
            return qs
        pk = Station.objects.with_identity(value).values_list("pk", flat=True).first()
        return qs.none() if pk is None else qs.filter(**{str(self.field_name): pk})


class StationFilterSet(filters.FilterSet):
    registration_status = filters.ChoiceFilter(choices=RegistrationStatus.choices)
    online = TrueOrFalseFilter(method="connected", label="Whether it is connected now.")
    search = TextFilter(method="named", label="Part of the identity, the name or a serial number.")
    vendor = TextFilter()
    model = TextFilter()
    firmware_version = TextFilter()

    def connected(self, queryset: QuerySet[Station], name: str, value: bool) -> QuerySet[Station]:
        owned = Station.objects.filter(connected_at__isnull=False, disconnected_at=None)
        online = Q(pk__in=online_ids(stations=owned.only("connected_at", "disconnected_at", "connection_epoch")))
        return queryset.filter(online if value else ~online)

    def named(self, queryset: QuerySet[Station], name: str, value: str) -> QuerySet[Station]:
        return queryset.filter(
            Q(identity__icontains=value)
            | Q(name__icontains=value)
            | Q(charge_point_serial_number__icontains=value)
            | Q(charge_box_serial_number__icontains=value)
        )
