"""Filters that several lists share."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.contrib.admin import ModelAdmin
from django.db.models import Exists, Field, Model, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_time
from unfold.contrib.filters.admin import DropdownFilter, RangeDateTimeFilter


class PeriodFilter(RangeDateTimeFilter):
    """Filters by a period in UTC, both ends included; a time of day left out is the day's first or last instant.

    With a `default`, a list that is not filtered by it shows only that long until now; with a `longest`, one that has
    no begin reaches back only so far from its end.
    """

    default: timedelta | None = None
    longest: timedelta | None = None

    def __init__(
        self,
        field: Field,
        request: HttpRequest,
        params: dict[str, Any],
        model: type[Model],
        model_admin: ModelAdmin,
        field_path: str,
    ) -> None:
        super().__init__(field, request, params, model, model_admin, field_path)
        self._now = timezone.now()
        since, until = self.bounds
        if self.default is not None and (since, until) == (None, None):
            since = self._now - self.default
        elif self.longest is not None and since is None and until is not None:
            since = max(until, datetime(1970, 1, 1, tzinfo=UTC)) - self.longest
        else:
            since = None
        if since is not None:
            self.used_parameters[f"{self.parameter_name}_from_0"] = f"{since:%Y-%m-%d}"
            self.used_parameters[f"{self.parameter_name}_from_1"] = f"{since:%H:%M:%S}"

    @property
    def bounds(self) -> tuple[datetime | None, datetime | None]:
        """The ends of the period; None where it is open or not a date."""
        return self._bound("from", time.min), self._bound("to", time.max)

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        since, until = self.bounds
        if since is not None:
            queryset = queryset.filter(**{f"{self.parameter_name}__gte": since})
        if until is not None:
            queryset = queryset.filter(**{f"{self.parameter_name}__lte": until})
        return queryset

    def _bound(self, end: str, otherwise: time) -> datetime | None:
        try:
            day = parse_date(str(self.used_parameters.get(f"{self.parameter_name}_{end}_0") or ""))
            clock = parse_time(str(self.used_parameters.get(f"{self.parameter_name}_{end}_1") or ""))
        except ValueError:
            return None
        if day is None:
            return None
        return datetime.combine(day, (clock or otherwise).replace(tzinfo=None), UTC)


class LastDayFilter(PeriodFilter):
    """Shows the last day by default: for hypertables, which cannot be listed without bounds in time."""

    default = timedelta(days=1)
    longest = timedelta(days=31)


class YesNoFilter(DropdownFilter):
    """Filters by whether a row meets `condition`; `yes` and `no` are the choices' labels."""

    yes, no = "Yes", "No"
    condition: Q | Exists

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Sequence[tuple[str, str]]:
        return [("yes", self.yes), ("no", self.no)]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "yes":
            return queryset.filter(self.condition)
        if self.value() == "no":
            return queryset.filter(~self.condition)
        return queryset


class ValueFilter(DropdownFilter):
    """Filters by one of the distinct values of `column`; SELECT DISTINCT, so for small tables only."""

    column = ""

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Sequence[tuple[str, str]]:
        values = model_admin.model._default_manager.exclude(**{self.column: ""}).order_by(self.column)
        return [(value, value) for value in values.values_list(self.column, flat=True).distinct()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(**{self.column: self.value()}) if self.value() else queryset


def value_filter(column: str, title: str) -> type[ValueFilter]:
    """Return a ValueFilter of a column."""
    return type(
        f"{column.title()}Filter", (ValueFilter,), {"column": column, "title": title, "parameter_name": column}
    )
