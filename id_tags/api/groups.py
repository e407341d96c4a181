"""Groups of tags, by the id that stations are told as parentIdTag."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from evcharging.api.addresses import name_in_address
from evcharging.api.problems import Conflict, NotFound
from evcharging.api.serializers import RowSerializer
from evcharging.api.views import ReadViewSet, valid
from id_tags.api.names import validate_name
from id_tags.models import IdTagGroup, fold_id_tag
from id_tags.services.editing import GroupExists, HasHistory, create_group, delete_group, update_group


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


class IdTagGroupViewSet(ReadViewSet):
    """Groups of id tags; the case of their id does not matter."""

    queryset = IdTagGroup.objects.all()
    serializer_class = IdTagGroupSerializer
    lookup_field = "parent_id_tag"
    lookup_value_converter = "name"
    orderings = {"parent_id_tag": "parent_id_tag_folded"}

    def get_object(self) -> IdTagGroup:
        folded = fold_id_tag(self.kwargs["parent_id_tag"])
        group = self.get_queryset().filter(parent_id_tag_folded=folded).first()
        if group is None:
            raise NotFound("There is no such group.")
        return group

    @extend_schema(responses={201: IdTagGroupSerializer})
    def create(self, request: Request) -> Response:
        """Create a group."""
        said = valid(IdTagGroupSerializer, request)
        try:
            group = create_group(parent_id_tag=said.pop("parent_id_tag"), facts=said)
        except GroupExists as error:
            raise Conflict(f"{error}.", problem_type="exists") from None
        location = f"{request.path}{name_in_address(group.parent_id_tag)}/"
        return Response(IdTagGroupSerializer(group).data, status=201, headers={"Location": location})

    @extend_schema(request=IdTagGroupChangeSerializer, responses=IdTagGroupSerializer)
    def partial_update(self, request: Request, parent_id_tag: str) -> Response:
        """Change what is given, and nothing else."""
        group = self.get_object()
        said = valid(IdTagGroupChangeSerializer, request, partial=True)
        return Response(IdTagGroupSerializer(update_group(group_id=group.pk, facts=said)).data)

    def destroy(self, request: Request, parent_id_tag: str) -> Response:
        """Delete a group without tags."""
        try:
            delete_group(group_id=self.get_object().pk)
        except HasHistory as error:
            raise Conflict(f"{error}.", problem_type="has-history") from None
        return Response(status=204)
