"""The list of stations: its filters, and facts about its rows that are not columns of a station.

Apps above register theirs in <app>/admin/station_panels.py.
"""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin import ModelAdmin
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from evcharging.back_office.extensible_lists import LoadFact
from evcharging.back_office.filters import YesNoFilter
from evcharging.back_office.registry import Registry
from stations.models import Deviation, Station
from stations.selectors import online_ids

MAX_DRIFT_S = 60.0
"""The clock drift above which the list and the page mark a station, s."""

STATION_FACTS: Registry[LoadFact] = Registry(
    ["online_now", "open_transaction_count", "faulted_count", "deviation_count"]
)
STATION_FILTERS: Registry[Any] = Registry(["fault"])
"""The filters after the list's own."""


@STATION_FACTS.register("online_now")
def online_now(stations: list[Station]) -> dict[int, bool]:
    """Return True for stations whose connection is alive (one MGET of Redis)."""
    return dict.fromkeys(online_ids(stations=stations), True)


@STATION_FACTS.register("deviation_count")
def deviation_counts(stations: list[Station]) -> dict[int, int]:
    """Return the number of kinds of deviation (rows, not messages) by station."""
    rows = Deviation.objects.filter(station__in=stations).order_by().values_list("station_id")
    return dict(rows.annotate(Count("pk")))


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


class DeviationsFilter(YesNoFilter):
    title = "deviations"
    parameter_name = "deviations"
    yes, no = "Has deviations", "Has none"
    condition = Exists(Deviation.objects.filter(station=OuterRef("pk")))
