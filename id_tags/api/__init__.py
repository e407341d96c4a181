"""API resources of id tags: tags, groups, unknown tags."""

from id_tags.api.groups import IdTagGroupViewSet
from id_tags.api.tags import IdTagViewSet
from id_tags.api.unknown import UnknownIdTagViewSet

__all__ = ["IdTagGroupViewSet", "IdTagViewSet", "UnknownIdTagViewSet"]
