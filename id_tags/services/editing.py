"""Create, update and delete single id tags and groups, as the API does."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from evcharging.db.history import HasHistory, has_history
from evcharging.db.unique_rows import insert_unique
from evcharging.events import publish
from id_tags.models import IdTag, IdTagGroup, fold_id_tag
from id_tags.services.tags import find_or_create_group, tags_saved
from id_tags.signals import id_tags_changed


@transaction.atomic
def create_id_tag(*, id_tag: str, values: Mapping[str, Any]) -> IdTag:
    """Create a tag and remove it from the unknown ones; `values` as for update_id_tag.

    :raises AlreadyExists:
    """
    tag = IdTag(id_tag=id_tag, **_columns(values))
    known = IdTag.objects.filter(id_tag_folded=fold_id_tag(id_tag))
    insert_unique(tag, known=known, reason="there is such a tag already (its case does not matter)")
    tags_saved(tags=[tag])
    return tag


@transaction.atomic
def update_id_tag(*, tag_id: int, values: Mapping[str, Any]) -> IdTag:
    """Set the fields in `values`: status, expires_at, max_active_transactions, note, parent_id_tag (None or "": none).

    A parent_id_tag that is not yet known becomes a group without a limit.

    :raises IdTag.DoesNotExist:
    """
    tag = IdTag.objects.select_for_update(no_key=True).get(pk=tag_id)
    columns = _columns(values)
    for name, value in columns.items():
        setattr(tag, name, value)
    if columns:
        tag.save(update_fields=list(columns))
    tags_saved(tags=[tag])
    return IdTag.objects.select_related("group").get(pk=tag_id)


@transaction.atomic
def delete_id_tag(*, tag_id: int) -> None:
    """Delete a tag without transactions.

    :raises IdTag.DoesNotExist: :raises HasHistory:
    """
    tag = IdTag.objects.select_for_update().get(pk=tag_id)
    if has_history(tag):
        raise HasHistory("the tag has charged and stays; block it instead")
    tag.delete()
    publish(id_tags_changed, IdTag, folded=[tag.id_tag_folded])


@transaction.atomic
def create_group(*, parent_id_tag: str, values: Mapping[str, Any]) -> IdTagGroup:
    """Create a group; `values` as for update_group.

    :raises AlreadyExists:
    """
    group = IdTagGroup(parent_id_tag=parent_id_tag, **values)
    known = IdTagGroup.objects.filter(parent_id_tag_folded=fold_id_tag(parent_id_tag))
    insert_unique(group, known=known, reason="there is such a group already (its case does not matter)")
    return group


@transaction.atomic
def update_group(*, group_id: int, values: Mapping[str, Any]) -> IdTagGroup:
    """Set the fields in `values`: max_active_transactions, note.

    :raises IdTagGroup.DoesNotExist:
    """
    group = IdTagGroup.objects.select_for_update(no_key=True).get(pk=group_id)
    for name, value in values.items():
        setattr(group, name, value)
    if values:
        group.save(update_fields=list(values))
    tags_saved(groups=[group])
    return group


@transaction.atomic
def delete_group(*, group_id: int) -> None:
    """Delete a group without tags.

    :raises IdTagGroup.DoesNotExist: :raises HasHistory:
    """
    group = IdTagGroup.objects.select_for_update().get(pk=group_id)
    if has_history(group):
        raise HasHistory("the group has tags; take them out first")
    group.delete()


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    columns = {name: value for name, value in values.items() if name != "parent_id_tag"}
    if "parent_id_tag" in values:
        columns["group"] = (
            find_or_create_group(parent_id_tag=values["parent_id_tag"]) if values["parent_id_tag"] else None
        )
    return columns
