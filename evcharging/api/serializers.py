"""Strict serializers: JSON types are not converted, and unknown members are errors."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import models
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from evcharging.api.times import instant_text, parse_instant
from evcharging.db.watt_hours import WattHoursField as WattHoursColumn

_JSON_INTEGERS = range(-(2**63), 2**64)
"""What orjson writes as an integer."""


class TextField(serializers.CharField):
    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class WholeNumberField(serializers.IntegerField):
    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, float) and data.is_integer():
            data = int(data)  # JSON has one type of number: 1.0 is 1
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class TrueOrFalseField(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class WordField(serializers.ChoiceField):
    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid_choice", input=data)
        return super().to_internal_value(data)


@extend_schema_field(OpenApiTypes.DATETIME)
class InstantField(serializers.Field):
    def to_internal_value(self, data: Any) -> datetime:
        try:
            return parse_instant(data if isinstance(data, str) else "")
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None

    def to_representation(self, value: datetime) -> str:
        return instant_text(value)


@extend_schema_field(OpenApiTypes.NUMBER)
class WattHoursField(serializers.DecimalField):
    """A number of Wh; JSON has one kind of number, and a whole one is written as such."""

    def to_representation(self, value: Decimal) -> float:  # type: ignore[override]  # the stubs know text only
        whole = int(value)
        return whole if whole == value and whole in _JSON_INTEGERS else float(value)


class KnownMembersOnly(serializers.Serializer):
    """Refuses unknown members: a misspelt one would else be ignored silently."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            known = {name for name, field in self.fields.items() if not field.read_only}
            unknown = {name: ["There is no such member to be written."] for name in sorted(set(data) - known)}
            if unknown:
                raise serializers.ValidationError(unknown)
        return super().to_internal_value(data)


class RowSerializer(KnownMembersOnly, serializers.ModelSerializer):
    """A row of a table; views write it by services, never by save()."""

    serializer_choice_field = WordField
    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: TextField,
        models.TextField: TextField,
        models.BooleanField: TrueOrFalseField,
        models.IntegerField: WholeNumberField,
        models.PositiveIntegerField: WholeNumberField,
        models.SmallIntegerField: WholeNumberField,
        models.BigIntegerField: WholeNumberField,
        models.DateTimeField: InstantField,
        WattHoursColumn: WattHoursField,
    }

    def build_standard_field(self, field_name: str, model_field: Any) -> tuple[type, dict[str, Any]]:
        """Return the field; a blank choice is allowed where the column may be blank."""
        field_class, kwargs = super().build_standard_field(field_name, model_field)
        if model_field.choices and model_field.blank:
            kwargs["allow_blank"] = True
        return field_class, kwargs

    def include_extra_kwargs(self, kwargs: Any, extra_kwargs: Any) -> Any:
        """Keep allow_blank of read-only choices, which Django REST framework drops."""
        is_blank = "choices" in kwargs and kwargs.get("allow_blank", False)
        kwargs = super().include_extra_kwargs(kwargs, extra_kwargs)
        return {**kwargs, "allow_blank": True} if is_blank else kwargs


class NoteSerializer(KnownMembersOnly):
    """Why; kept with what is done."""

    note = TextField(max_length=1000, help_text="Kept with the record.")
