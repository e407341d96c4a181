"""Id tags in the back office."""

from id_tags import operation_forms
from id_tags.admin import groups, tags, unknown
from id_tags.admin.tags import IdTagAdmin, IdTagChangeList

__all__ = ["IdTagAdmin", "IdTagChangeList", "groups", "operation_forms", "tags", "unknown"]
