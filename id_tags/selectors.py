"""Reads of tags, and whether one may charge."""

from collections.abc import Iterable
from datetime import datetime

from django.core.cache import cache

from evcharging.db.prepared import run_prepared
from id_tags.models import IdTag, IdTagStatus, fold_id_tag
from id_tags.types import Authorization, KnownTag

CACHE_S = 30
"""How long a cached tag may serve, s. Changes remove it at once; this bounds what a lost removal can do."""


def authorize(*, id_tag: str, now: datetime) -> Authorization:
    """Return whether the tag may charge, from the cache where it can (OCPP 1.6 §4.1).

    Does not count concurrent transactions, which a start does. Writes nothing.
    """
    folded = fold_id_tag(id_tag)
    key = cache_key(folded)
    tag: KnownTag | None = cache.get(key)
    if tag is None:
        tag = tags_by_folded(id_tags=[id_tag]).get(folded)
        if tag is not None:
            cache.set(key, tag, CACHE_S)
    return authorization_of(tag, now)


_FIND_SQL = """
    SELECT t.id_tag_folded, t.id, t.status, t.expires_at, t.max_active_transactions,
        g.id, g.parent_id_tag, g.max_active_transactions
    FROM id_tags_idtag t LEFT JOIN id_tags_idtaggroup g ON g.id = t.group_id
    WHERE t.id_tag_folded = ANY(%s::text[])
    ORDER BY t.id
"""
_LOCK_SQL = f"{_FIND_SQL} FOR NO KEY UPDATE OF t"


def tags_by_folded(*, id_tags: Iterable[str], locked: bool = False) -> dict[str, KnownTag]:
    """Return those tags that are known, by folded text, with their groups; not from the cache.

    :param locked: lock the tags, but not their groups, until the end of the database transaction.
    """
    wanted = list({fold_id_tag(id_tag) for id_tag in id_tags})
    if not wanted:
        return {}
    rows = run_prepared(_LOCK_SQL if locked else _FIND_SQL, [wanted])
    return {folded: KnownTag(*values) for folded, *values in rows}


def cache_key(folded: str) -> str:
    """Return the cache key of a tag; hex, for a tag may hold any character."""
    return f"known_tag:{folded.encode().hex()}"


def authorization_of(tag: KnownTag | None, now: datetime) -> Authorization:
    """Judge a tag at an instant; None is an unknown tag."""
    if tag is None:
        return Authorization("Invalid")
    status = tag.status
    if status == IdTagStatus.ACCEPTED and tag.expires_at is not None and tag.expires_at <= now:
        status = IdTagStatus.EXPIRED
    limit, limit_group_id = tag.max_active_transactions, None
    if limit is None and tag.group_max_active_transactions is not None:
        limit, limit_group_id = tag.group_max_active_transactions, tag.group_id
    elif limit is None:
        limit = 1
    return Authorization(
        status=str(status),
        parent_id_tag=tag.parent_id_tag,
        expires_at=tag.expires_at,
        tag_id=tag.pk,
        group_id=tag.group_id,
        limit=limit or None,
        limit_group_id=limit_group_id,
    )


def known_tag(tag: IdTag) -> KnownTag:
    """Return the facts of a row and its group that authorization_of() needs."""
    group = tag.group
    return KnownTag(
        tag.pk,
        tag.status,
        tag.expires_at,
        tag.max_active_transactions,
        None if group is None else group.pk,
        None if group is None else group.parent_id_tag,
        None if group is None else group.max_active_transactions,
    )
