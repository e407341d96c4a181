"""The list of stations: what its rows show beyond their own columns, and how it is filtered."""

from collections.abc import Callable, Iterable, Sequence

from django.contrib.admin import ModelAdmin
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from evcharging.back_office.model_admins import BoundedChangeList
from stations.models import Deviation, Station
from stations.selectors import online_ids

MAX_DRIFT_S = 60.0
"""A clock that is further off than this deserves a look, s."""

Counter = Callable[[Iterable[int]], dict[int, int]]


def deviation_counts(station_ids: Iterable[int]) -> dict[int, int]:
    """Return how many kinds of deviation each station has shown."""
    rows = Deviation.objects.filter(station_id__in=station_ids).order_by().values_list("station_id")
    return dict(rows.annotate(Count("pk")))


class StationChangeList(BoundedChangeList):
    """Asks once per page, not once per row: who is online (Redis), and each counter (one query)."""

    #: What each row gets as an attribute of that name; apps above this one add theirs.
    counters: dict[str, Counter] = {"deviation_count": deviation_counts}

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        stations = list(self.result_list)
        online = online_ids(stations=stations)
        ids = [station.pk for station in stations]
        counts = {name: counter(ids) for name, counter in self.counters.items()}
        for station in stations:
            station.online_now = station.pk in online
            for name, found in counts.items():
                setattr(station, name, found.get(station.pk, 0))
        self.result_list = stations


class OnlineFilter(DropdownFilter):
    title = "connection"
    parameter_name = "connection"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Sequence[tuple[str, str]]:
        return [("online", "Online"), ("offline", "Offline"), ("never", "Never connected")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Station]) -> QuerySet[Station]:
        if self.value() == "never":
            return queryset.filter(connected_at=None)
        if self.value() in ("online", "offline"):
            owned = Station.objects.filter(connected_at__isnull=False, disconnected_at=None)
            online = Q(pk__in=online_ids(stations=owned.only("connected_at", "disconnected_at", "connection_epoch")))
            return queryset.filter(online if self.value() == "online" else ~online)
        return queryset


class BootFilter(DropdownFilter):
    title = "boot"
    parameter_name = "boot"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Sequence[tuple[str, str]]:
        return [("never", "Never booted"), ("booted", "Booted")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Station]) -> QuerySet[Station]:
        if self.value():
            return queryset.filter(last_boot_at__isnull=self.value() == "never")
        return queryset


class DriftFilter(DropdownFilter):
    title = "clock"
    parameter_name = "clock"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Sequence[tuple[str, str]]:
        return [("off", "More than a minute off"), ("unknown", "Not measured")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Station]) -> QuerySet[Station]:
        if self.value() == "off":
            return queryset.filter(Q(clock_drift_s__gt=MAX_DRIFT_S) | Q(clock_drift_s__lt=-MAX_DRIFT_S))
        if self.value() == "unknown":
            return queryset.filter(clock_drift_s=None)
        return queryset


class DeviationsFilter(DropdownFilter):
    title = "deviations"
    parameter_name = "deviations"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Sequence[tuple[str, str]]:
        return [("yes", "Has deviations"), ("no", "Has none")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Station]) -> QuerySet[Station]:
        found = Exists(Deviation.objects.filter(station=OuterRef("pk")))
        if self.value():
            return queryset.filter(found if self.value() == "yes" else ~found)
        return queryset
