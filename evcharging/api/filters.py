"""Typed filters: invalid values are refused before the query."""

from datetime import datetime
from typing import Any

from django import forms
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field

from evcharging.api.times import parse_instant

INT4 = (-(2**31), 2**31 - 1)


class _InstantFormField(forms.CharField):
    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            return parse_instant(text.replace(" ", "+"))  # an unencoded + was decoded to a space
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None


class _WordFormField(forms.NullBooleanField):
    """Accepts true and false only."""

    def clean(self, value: Any) -> bool | None:
        if value in (None, ""):
            return None
        if value not in ("true", "false"):
            raise forms.ValidationError("Neither true nor false.")
        return bool(value == "true")


class _TextFormField(forms.CharField):
    """Does not strip: tags may differ by a space."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"strip": False, "max_length": 255, **kwargs})


class _IntegerFormField(forms.IntegerField):
    def to_python(self, value: Any) -> int | None:
        text = str(value or "")
        if text and not (text.isascii() and text.removeprefix("-").isdecimal() and len(text) <= 20):
            raise forms.ValidationError("Not a whole number.")
        return super().to_python(value)


@extend_schema_field(OpenApiTypes.DATETIME)
class InstantFilter(filters.Filter):
    field_class = _InstantFormField


@extend_schema_field(OpenApiTypes.BOOL)
class TrueOrFalseFilter(filters.Filter):
    field_class = _WordFormField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.TextInput)
        super().__init__(*args, **kwargs)


@extend_schema_field({"type": "string", "maxLength": 255, "minLength": 1})
class TextFilter(filters.Filter):
    field_class = _TextFormField


class WholeNumberFilter(filters.Filter):
    """A whole number from `minimum` to the maximum of a 32-bit column."""

    field_class = _IntegerFormField

    def __init__(self, *args: Any, minimum: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, min_value=minimum, max_value=INT4[1], **kwargs)
        extend_schema_field({"type": "integer", "minimum": minimum, "maximum": INT4[1]})(self)


class PeriodFilterSet(filters.FilterSet):
    """The interval [since, until) of `time_column`, which a subclass sets."""

    time_column = ""

    since = InstantFilter(method="after", label="From this instant on.")
    until = InstantFilter(method="before", label="Before this instant.")

    def after(self, queryset: QuerySet, name: str, value: datetime) -> QuerySet:
        return queryset.filter(**{f"{self.time_column}__gte": value})

    def before(self, queryset: QuerySet, name: str, value: datetime) -> QuerySet:
        return queryset.filter(**{f"{self.time_column}__lt": value})
