"""Id tags and groups one by one, as a program writes them."""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet

from evcharging.db.history import has_history
from evcharging.events import publish
from id_tags.models import IdTag, IdTagGroup, fold_id_tag
from id_tags.services.tags import find_or_create_group, tags_saved
from id_tags.signals import id_tags_changed


class IdTagExists(Exception):
    """There is such a tag, whatever its case."""


class GroupExists(Exception):
    """There is such a group, whatever its case."""


class HasHistory(Exception):
    """Something that must stay refers to the row."""


@transaction.atomic
def create_id_tag(*, id_tag: str, facts: Mapping[str, Any]) -> IdTag:
    """Create a tag and take it out of the unknown ones; `facts` as for update_id_tag.

    :raises IdTagExists:
    """
    tag = IdTag(id_tag=id_tag, **_columns(facts))
    known = IdTag.objects.filter(id_tag_folded=fold_id_tag(id_tag))
    _insert(tag, known, IdTagExists("there is such a tag already (its case does not matter)"))
    tags_saved(tags=[tag])
    return tag


@transaction.atomic
def update_id_tag(*, tag_id: int, facts: Mapping[str, Any]) -> IdTag:
    """Set what `facts` names: status, expires_at, max_active_transactions, note, and parent_id_tag (None or "": none).

    A parent_id_tag that is not yet known becomes a group without a limit.

    :raises IdTag.DoesNotExist:
    """
    tag = IdTag.objects.select_for_update(no_key=True).get(pk=tag_id)
    columns = _columns(facts)
    for name, value in columns.items():
        setattr(tag, name, value)
    if columns:
        tag.save(update_fields=list(columns))
    tags_saved(tags=[tag])
    return IdTag.objects.select_related("group").get(pk=tag_id)


@transaction.atomic
def delete_id_tag(*, tag_id: int) -> None:
    """Delete a tag that never charged.

    :raises IdTag.DoesNotExist: :raises HasHistory:
    """
    tag = IdTag.objects.select_for_update().get(pk=tag_id)
    if has_history(tag):
        raise HasHistory("the tag has charged and stays; block it instead")
    tag.delete()
    publish(id_tags_changed, IdTag, folded=[tag.id_tag_folded])


@transaction.atomic
def create_group(*, parent_id_tag: str, facts: Mapping[str, Any]) -> IdTagGroup:
    """Create a group; `facts` as for update_group.

    :raises GroupExists:
    """
    group = IdTagGroup(parent_id_tag=parent_id_tag, **facts)
    known = IdTagGroup.objects.filter(parent_id_tag_folded=fold_id_tag(parent_id_tag))
    _insert(group, known, GroupExists("there is such a group already (its case does not matter)"))
    return group


@transaction.atomic
def update_group(*, group_id: int, facts: Mapping[str, Any]) -> IdTagGroup:
    """Set what `facts` names: max_active_transactions, note.

    :raises IdTagGroup.DoesNotExist:
    """
    group = IdTagGroup.objects.select_for_update(no_key=True).get(pk=group_id)
    for name, value in facts.items():
        setattr(group, name, value)
    if facts:
        group.save(update_fields=list(facts))
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


def _columns(facts: Mapping[str, Any]) -> dict[str, Any]:
    columns = {name: value for name, value in facts.items() if name != "parent_id_tag"}
    if "parent_id_tag" in facts:
        columns["group"] = (
            find_or_create_group(parent_id_tag=facts["parent_id_tag"]) if facts["parent_id_tag"] else None
        )
    return columns


def _insert(row: Model, known: QuerySet, taken: Exception) -> None:
    """Insert a row, or raise `taken`: asked for first, so that the database logs no tag in an error."""
    if known.exists():
        raise taken
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:  # somebody else was faster
        raise taken from None
