"""Id tags and their groups: created and changed."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from evcharging.events import publish
from id_tags.models import IdTag, IdTagGroup, IdTagStatus, UnknownIdTag, fold_id_tag
from id_tags.signals import id_tags_changed


@transaction.atomic
def import_id_tag(
    *,
    id_tag: str,
    status: str = IdTagStatus.ACCEPTED,
    expires_at: datetime | None = None,
    parent_id_tag: str = "",
    max_active_transactions: int | None = None,
    note: str = "",
) -> tuple[IdTag, bool]:
    """Create or update one tag with exactly these facts; return it and whether it is new.

    A parent_id_tag that is not yet known becomes a group without a limit.
    """
    tag = IdTag.objects.select_for_update(no_key=True).filter(id_tag_folded=fold_id_tag(id_tag)).first()
    created = tag is None
    if tag is None:
        tag = IdTag(id_tag=id_tag)
    tag.status = status
    tag.expires_at = expires_at
    tag.group = find_or_create_group(parent_id_tag=parent_id_tag) if parent_id_tag else None
    tag.max_active_transactions = max_active_transactions
    tag.note = note
    tag.save()
    UnknownIdTag.objects.filter(id_tag_folded=tag.id_tag_folded).delete()
    publish(id_tags_changed, IdTag, folded=[tag.id_tag_folded])
    return tag, created


@transaction.atomic
def set_id_tags_status(*, tag_ids: Iterable[int], status: str) -> int:
    """Set the status of many tags; return how many rows there were."""
    tags = list(IdTag.objects.filter(pk__in=list(tag_ids)).order_by("pk").select_for_update(no_key=True))
    IdTag.objects.filter(pk__in=[tag.pk for tag in tags]).update(status=status)
    publish(id_tags_changed, IdTag, folded=[tag.id_tag_folded for tag in tags])
    return len(tags)


@transaction.atomic
def tags_saved(*, tags: Iterable[IdTag] = (), groups: Iterable[IdTagGroup] = ()) -> None:
    """Publish that tags, or groups with all their tags, were saved by a form; a saved tag is no longer unknown."""
    folded = {tag.id_tag_folded for tag in tags}
    UnknownIdTag.objects.filter(id_tag_folded__in=folded).delete()
    folded |= set(
        IdTag.objects.filter(group__in=[group.pk for group in groups]).values_list("id_tag_folded", flat=True)
    )
    publish(id_tags_changed, IdTag, folded=sorted(folded))


@transaction.atomic
def find_or_create_group(*, parent_id_tag: str) -> IdTagGroup:
    """Return the group of this id; a new one has no limit."""
    IdTagGroup.objects.bulk_create([IdTagGroup(parent_id_tag=parent_id_tag)], ignore_conflicts=True)
    return IdTagGroup.objects.get(parent_id_tag_folded=fold_id_tag(parent_id_tag))
