"""Id tags in the back office."""

from id_tags.admin import groups, local_lists, operation_forms, tags, unknown
from id_tags.admin.tags import IdTagAdmin, IdTagChangeList

__all__ = ["IdTagAdmin", "IdTagChangeList", "groups", "local_lists", "operation_forms", "tags", "unknown"]
