"""Groups of id tags, by their parentIdTag."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view

from evcharging.api.problems import found
from evcharging.api.serializers import RowSerializer
from evcharging.api.views import EditViewSet
from id_tags.api.names import validate_name
from id_tags.models import IdTagGroup, fold_id_tag
from id_tags.services.editing import create_group, delete_group, update_group


class IdTagGroupSerializer(RowSerializer):
    """Tags that may stop one another's transactions."""

    class Meta:
        model = IdTagGroup
        fields: Any = ("parent_id_tag", "max_active_transactions", "note")

    def validate_parent_id_tag(self, value: str) -> str:
        return validate_name(value)


class IdTagGroupChangeSerializer(IdTagGroupSerializer):
    """What of a group can be changed."""

    class Meta(IdTagGroupSerializer.Meta):
        fields = ("max_active_transactions", "note")


@extend_schema_view(
    create=extend_schema(description="Create a group.", responses={201: IdTagGroupSerializer}),
    partial_update=extend_schema(request=IdTagGroupChangeSerializer, responses=IdTagGroupSerializer),
    destroy=extend_schema(description="Delete a group without tags."),
)
class IdTagGroupViewSet(EditViewSet):
    """Groups of id tags; the case of their id does not matter."""

    queryset = IdTagGroup.objects.all()
    serializer_class = IdTagGroupSerializer
    change_serializer_class = IdTagGroupChangeSerializer
    lookup_field = "parent_id_tag"
    lookup_value_converter = "name"
    orderings = {"parent_id_tag": "parent_id_tag_folded"}

    def get_object(self) -> IdTagGroup:
        folded = fold_id_tag(self.kwargs["parent_id_tag"])
        return found(self.get_queryset().filter(parent_id_tag_folded=folded).first(), "group")

    def create_row(self, values: dict[str, Any]) -> IdTagGroup:
        return create_group(parent_id_tag=values.pop("parent_id_tag"), values=values)

    def change_row(self, row: IdTagGroup, values: dict[str, Any]) -> IdTagGroup:
        return update_group(group_id=row.pk, values=values)

    def delete_row(self, row: IdTagGroup) -> None:
        delete_group(group_id=row.pk)
