"""Everything that writes id tags."""

from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction

from evcharging.events import publish
from id_tags.models import IdTag, IdTagGroup, IdTagStatus, UnknownIdTag, fold_id_tag
from id_tags.selectors import authorization_of, tags_by_folded
from id_tags.signals import id_tags_changed
from id_tags.types import Authorization
from stations.models import stale_before


def lock_for_start(*, id_tag: str, now: datetime) -> Authorization:
    """Judge a tag for a StartTransaction, locked until the end of the database transaction.

    The lock makes two starts of one tag (or of one group that has a limit) count one another. Order: tag, then group.
    """
    tag = tags_by_folded(id_tags=[id_tag], locked=True).get(fold_id_tag(id_tag))
    authorization = authorization_of(tag, now)
    if authorization.limit_group_id is not None:
        IdTagGroup.objects.select_for_update(no_key=True).get(pk=authorization.limit_group_id)
    return authorization


def note_unknown_id_tag(*, id_tag: str, station_id: int, now: datetime) -> None:
    """Count a presented tag that nobody knows; above UNKNOWN_ID_TAGS_MAX the ones unseen for longest make room."""
    folded = fold_id_tag(id_tag)[:255]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO id_tags_unknownidtag
                (id_tag, id_tag_folded, station_id, first_seen_at, last_seen_at, count)
            VALUES (%s, %s, %s, %s, %s, 1)
            ON CONFLICT (id_tag_folded) DO UPDATE SET
                count = id_tags_unknownidtag.count + 1, last_seen_at = excluded.last_seen_at,
                station_id = excluded.station_id
            RETURNING count
            """,
            [id_tag[:255], folded, station_id, now, now],
        )
        (count,) = cursor.fetchone()
        if count == 1:
            cursor.execute(
                """
                DELETE FROM id_tags_unknownidtag WHERE id IN (
                    SELECT id FROM id_tags_unknownidtag ORDER BY last_seen_at DESC OFFSET %s
                )
                """,
                [settings.UNKNOWN_ID_TAGS_MAX],
            )


def forget_unknown_id_tags(*, now: datetime) -> int:
    """Remove unknown tags that nobody presented within STRANGER_RETENTION_DAYS; return how many."""
    removed, _ = UnknownIdTag.objects.filter(
        last_seen_at__lt=stale_before(now, settings.STRANGER_RETENTION_DAYS)
    ).delete()
    return removed


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
def add_unknown_id_tag(*, unknown_id: int) -> IdTag:
    """Make a presented unknown tag an accepted one and take it out of the inbox.

    :raises UnknownIdTag.DoesNotExist: somebody else was faster.
    """
    unknown = UnknownIdTag.objects.select_for_update().get(pk=unknown_id)
    tag, _ = import_id_tag(id_tag=unknown.id_tag)
    return tag


@transaction.atomic
def set_id_tags_status(*, tag_ids: Iterable[int], status: str) -> int:
    """Set the status of many tags; return how many rows there were."""
    tags = list(IdTag.objects.filter(pk__in=list(tag_ids)).order_by("pk").select_for_update(no_key=True))
    IdTag.objects.filter(pk__in=[tag.pk for tag in tags]).update(status=status)
    publish(id_tags_changed, IdTag, folded=[tag.id_tag_folded for tag in tags])
    return len(tags)


@transaction.atomic
def tags_saved(*, tags: Iterable[IdTag] = (), groups: Iterable[IdTagGroup] = ()) -> None:
    """Tell the others that tags, or groups with all their tags, were saved by a form.

    A saved tag is no longer an unknown one.
    """
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
