"""Whether a tag may charge, and what is known of tags."""

from collections.abc import Iterable
from datetime import datetime

from django.core.cache import cache

from id_tags.models import IdTag, IdTagStatus, fold_id_tag
from id_tags.types import Authorization

CACHE_S = 30
"""How long a cached tag may serve, s. Changes remove it at once; this bounds what a lost removal can do."""


def authorize(*, id_tag: str, now: datetime) -> Authorization:
    """Return whether the tag may charge, from the cache where it can (OCPP 1.6 §4.1).

    Concurrent transactions are not counted: that is StartTransaction's matter. Writes nothing.
    """
    folded = fold_id_tag(id_tag)
    key = cache_key(folded)
    tag = cache.get(key)
    if tag is None:
        tag = IdTag.objects.select_related("group").filter(id_tag_folded=folded).first()
        if tag is not None:
            cache.set(key, tag, CACHE_S)
    return authorization_of(tag, now)


def tags_by_folded(*, id_tags: Iterable[str]) -> dict[str, IdTag]:
    """Return the known ones of some tags by their folded text, with their groups, as they are now."""
    wanted = {fold_id_tag(id_tag) for id_tag in id_tags}
    rows = IdTag.objects.select_related("group").filter(id_tag_folded__in=wanted) if wanted else ()
    return {tag.id_tag_folded: tag for tag in rows}


def cache_key(folded: str) -> str:
    """Return where a tag is cached; the text is hex-encoded, for a tag may hold any character."""
    return f"id_tag:{folded.encode().hex()}"


def authorization_of(tag: IdTag | None, now: datetime) -> Authorization:
    """Judge a tag at an instant; None is a tag that nobody knows."""
    if tag is None:
        return Authorization("Invalid")
    status = tag.status
    if status == IdTagStatus.ACCEPTED and tag.expires_at is not None and tag.expires_at <= now:
        status = IdTagStatus.EXPIRED
    group = tag.group
    limit, limit_group_id = tag.max_active_transactions, None
    if limit is None and group is not None and group.max_active_transactions is not None:
        limit, limit_group_id = group.max_active_transactions, group.pk
    elif limit is None:
        limit = 1
    return Authorization(
        status=str(status),
        parent_id_tag=None if group is None else group.parent_id_tag,
        expires_at=tag.expires_at,
        tag_id=tag.pk,
        group_id=None if group is None else group.pk,
        limit=limit or None,
        limit_group_id=limit_group_id,
    )
