"""Unknown tags that were presented: counted, expired, made known."""

from datetime import datetime

from django.conf import settings
from django.db import connection, transaction

from id_tags.models import IdTag, UnknownIdTag, fold_id_tag
from id_tags.services.tags import import_id_tag
from stations.models import stale_before


def note_unknown_id_tag(*, id_tag: str, station_id: int, now: datetime) -> None:
    """Count an unknown tag that was presented; above UNKNOWN_ID_TAGS_MAX delete those unseen for longest."""
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
    """Delete unknown tags that were not presented within REFUSAL_RETENTION_DAYS; return how many."""
    removed, _ = UnknownIdTag.objects.filter(
        last_seen_at__lt=stale_before(now, settings.REFUSAL_RETENTION_DAYS)
    ).delete()
    return removed


@transaction.atomic
def add_unknown_id_tag(*, unknown_id: int) -> IdTag:
    """Make an unknown tag that was presented an accepted one.

    :raises UnknownIdTag.DoesNotExist: somebody else was faster.
    """
    unknown = UnknownIdTag.objects.select_for_update().get(pk=unknown_id)
    tag, _ = import_id_tag(id_tag=unknown.id_tag)
    return tag
