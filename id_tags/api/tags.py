"""Id tags."""

from typing import Any

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_view

from evcharging.api.filters import InstantFilter, TextFilter
from evcharging.api.problems import found
from evcharging.api.serializers import RowSerializer, TextField
from evcharging.api.views import EditViewSet
from id_tags.api.names import MAX_LENGTH, validate_name
from id_tags.models import IdTag, IdTagStatus, fold_id_tag
from id_tags.services.editing import create_id_tag, delete_id_tag, update_id_tag


class IdTagSerializer(RowSerializer):
    """One RFID card or other token."""

    parent_id_tag = TextField(
        source="group.parent_id_tag",
        required=False,
        allow_null=True,
        max_length=MAX_LENGTH,
        help_text="Its group; one that is not yet known is made. Null: none.",
    )

    class Meta:
        model = IdTag
        fields: Any = (
            "id_tag", "kind", "status", "expires_at", "parent_id_tag", "max_active_transactions", "note", "created_at",
        )  # fmt: skip
        read_only_fields = ("kind", "created_at")

    def validate_id_tag(self, value: str) -> str:
        return validate_name(value)

    def validate_parent_id_tag(self, value: str | None) -> str | None:
        return value if value is None else validate_name(value)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return the values without the nesting of `source`."""
        if "group" in attrs:
            attrs["parent_id_tag"] = attrs.pop("group")["parent_id_tag"]
        return attrs


class IdTagChangeSerializer(IdTagSerializer):
    """What of a tag can be changed; another text is another tag."""

    class Meta(IdTagSerializer.Meta):
        fields = ("status", "expires_at", "parent_id_tag", "max_active_transactions", "note")
        read_only_fields: Any = ()


class IdTagFilterSet(filters.FilterSet):
    status = filters.ChoiceFilter(choices=IdTagStatus.choices)
    parent_id_tag = TextFilter(method="of_group", label="Tags of this group.")
    expires_before = InstantFilter(field_name="expires_at", lookup_expr="lt", label="Tags that expire before this.")
    search = TextFilter(method="containing", label="Part of the tag or of its note.")

    def of_group(self, queryset: QuerySet[IdTag], name: str, value: str) -> QuerySet[IdTag]:
        return queryset.filter(group__parent_id_tag_folded=fold_id_tag(value))

    def containing(self, queryset: QuerySet[IdTag], name: str, value: str) -> QuerySet[IdTag]:
        return queryset.filter(Q(id_tag_folded__contains=fold_id_tag(value)) | Q(note__icontains=value))


@extend_schema_view(
    create=extend_schema(
        description="Create a tag; it is Accepted if its status is left out.", responses={201: IdTagSerializer}
    ),
    partial_update=extend_schema(request=IdTagChangeSerializer, responses=IdTagSerializer),
    destroy=extend_schema(description="Delete a tag that never charged."),
)
class IdTagViewSet(EditViewSet):
    """Id tags, by their text; its case does not matter."""

    queryset = IdTag.objects.select_related("group")
    serializer_class = IdTagSerializer
    change_serializer_class = IdTagChangeSerializer
    filterset_class = IdTagFilterSet
    lookup_field = "id_tag"
    lookup_value_converter = "name"
    orderings = {"id_tag": "id_tag_folded", "created_at": "created_at"}

    def get_object(self) -> IdTag:
        return found(self.get_queryset().filter(id_tag_folded=fold_id_tag(self.kwargs["id_tag"])).first(), "id tag")

    def create_row(self, values: dict[str, Any]) -> IdTag:
        return create_id_tag(id_tag=values.pop("id_tag"), values=values)

    def change_row(self, row: IdTag, values: dict[str, Any]) -> IdTag:
        return update_id_tag(tag_id=row.pk, values=values)

    def delete_row(self, row: IdTag) -> None:
        delete_id_tag(tag_id=row.pk)
