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
    """From … to, UTC; a time that is left out is the day's first or last instant.

    A subclass with a `default` shows only that long until now, unless told otherwise.
    """

    default: timedelta | None = None

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
        if self.default is not None and self.bounds == (None, None):
            since = self._now - self.default
            self.used_parameters[f"{self.parameter_name}_from_0"] = f"{since:%Y-%m-%d}"
            self.used_parameters[f"{self.parameter_name}_from_1"] = f"{since:%H:%M:%S}"

    @property
    def bounds(self) -> tuple[datetime | None, datetime | None]:
        """The period's ends; None where it is open or cannot be read."""
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
    """Shows the last day unless told otherwise: for tables that nobody can look at whole."""

    default = timedelta(days=1)


class YesNoFilter(DropdownFilter):
    """Rows that meet a condition, or those that do not; a subclass names both in `yes` and `no`."""

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
    """One of the values that a column of a small table has; a subclass names the column."""

    column = ""

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Sequence[tuple[str, str]]:
        values = model_admin.model._default_manager.exclude(**{self.column: ""}).order_by(self.column)
        return [(value, value) for value in values.values_list(self.column, flat=True).distinct()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(**{self.column: self.value()}) if self.value() else queryset


def value_filter(column: str, title: str) -> type[ValueFilter]:
    """Return a filter by the values of a column."""
    return type(
        f"{column.title()}Filter", (ValueFilter,), {"column": column, "title": title, "parameter_name": column}
    )
