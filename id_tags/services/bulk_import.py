"""Imports of id tags by the thousand, from a file; a single one: services.tags.import_id_tag."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection, transaction

from evcharging.db.advisory_locks import AdvisoryLock, lock_for_transaction
from evcharging.db.staging import BATCH, StagingTable
from evcharging.events import publish
from evcharging.tables.table import Imported
from id_tags.models import IdTag, IdTagGroup, IdTagStatus, fold_id_tag
from id_tags.signals import id_tags_changed

_STAGING = StagingTable(
    "incoming_id_tags",
    columns={
        "id_tag": "text",
        "folded": "text",
        "status": "text",
        "expires_at": "timestamptz",
        "parent_id_tag": "text",
        "parent_folded": "text",
        "max_active_transactions": "int",
        "note": "text",
    },
    key="folded",
)


class IdTagRow(NamedTuple):
    """A tag as a row of the file; a `parent_id_tag` of "" is no group."""

    id_tag: str
    status: str = IdTagStatus.ACCEPTED
    expires_at: datetime | None = None
    parent_id_tag: str = ""
    max_active_transactions: int | None = None
    note: str = ""


@transaction.atomic
def import_id_tags(*, rows: Iterable[IdTagRow], fields: Collection[str]) -> Imported:
    """Create or update tags in one database transaction, in bounded memory; the same rows again change nothing.

    Tags are locked in the order of their ids, after the last row was read. A parent_id_tag that is not yet known
    becomes a group without a limit. An error of `rows` rolls everything back.

    :param rows: each tag once, whatever its case.
    :param fields: those that the file has; a known tag keeps its other fields.
    """
    with connection.cursor() as cursor:
        total = _STAGING.fill(cursor, rows, _staged)
        lock_for_transaction(AdvisoryLock.ID_TAG_IMPORT)
        _create_groups(cursor)
        created = _create_missing(cursor)
        updated = _update_known(cursor, fields)
        cursor.execute("DELETE FROM id_tags_unknownidtag u USING incoming_id_tags i WHERE u.id_tag_folded = i.folded")
    return Imported(created, updated, total - created - updated)


def _staged(batch: Sequence[IdTagRow]) -> Sequence[tuple[Any, ...]]:
    return [
        (
            row.id_tag,
            fold_id_tag(row.id_tag),
            row.status,
            row.expires_at,
            row.parent_id_tag,
            fold_id_tag(row.parent_id_tag),
            row.max_active_transactions,
            row.note,
        )
        for row in batch
    ]


def _create_groups(cursor: Any) -> None:
    cursor.execute(
        """
        SELECT DISTINCT ON (i.parent_folded) i.parent_id_tag FROM incoming_id_tags i
        WHERE i.parent_folded <> ''
            AND NOT EXISTS (SELECT 1 FROM id_tags_idtaggroup g WHERE g.parent_id_tag_folded = i.parent_folded)
        ORDER BY i.parent_folded, i.position
        """
    )
    groups = [IdTagGroup(parent_id_tag=parent_id_tag) for (parent_id_tag,) in cursor.fetchall()]
    IdTagGroup.objects.bulk_create(groups, batch_size=BATCH, ignore_conflicts=True)


def _create_missing(cursor: Any) -> int:
    query = """
        SELECT i.position, i.id_tag, i.status, i.expires_at, g.id, i.max_active_transactions, i.note
        FROM incoming_id_tags i
        LEFT JOIN id_tags_idtaggroup g ON g.parent_id_tag_folded = i.parent_folded
        WHERE NOT EXISTS (SELECT 1 FROM id_tags_idtag t WHERE t.id_tag_folded = i.folded)
    """
    created = 0
    for found in _STAGING.select_in_batches(cursor, query):
        tags = [
            IdTag(
                id_tag=id_tag,
                status=status,
                expires_at=expires_at,
                group_id=group_id,
                max_active_transactions=max_active,
                note=note,
            )
            for _, id_tag, status, expires_at, group_id, max_active, note in found
        ]
        # A tag that staff add meanwhile is left to the update.
        IdTag.objects.bulk_create(tags, ignore_conflicts=True)
        publish(id_tags_changed, IdTag, folded=[tag.id_tag_folded for tag in tags])
        created += len(tags)
    return created


def _update_known(cursor: Any, fields: Collection[str]) -> int:
    cursor.execute(
        """
        UPDATE id_tags_idtag AS t
        SET status = v.status, expires_at = v.expires_at, group_id = v.group_id,
            max_active_transactions = v.max_active_transactions, note = v.note
        FROM (
            SELECT n.*
            FROM id_tags_idtag t2
            JOIN incoming_id_tags i ON i.folded = t2.id_tag_folded
            LEFT JOIN id_tags_idtaggroup g ON g.parent_id_tag_folded = i.parent_folded
            CROSS JOIN LATERAL (
                SELECT t2.id,
                    CASE WHEN %(status)s THEN i.status ELSE t2.status END AS status,
                    CASE WHEN %(expires_at)s THEN i.expires_at ELSE t2.expires_at END AS expires_at,
                    CASE WHEN %(parent_id_tag)s THEN g.id ELSE t2.group_id END AS group_id,
                    CASE WHEN %(max_active_transactions)s THEN i.max_active_transactions
                        ELSE t2.max_active_transactions END AS max_active_transactions,
                    CASE WHEN %(note)s THEN i.note ELSE t2.note END AS note
            ) n
            WHERE (t2.status, t2.expires_at, t2.group_id, t2.max_active_transactions, t2.note) IS DISTINCT FROM
                (n.status, n.expires_at, n.group_id, n.max_active_transactions, n.note)
            ORDER BY t2.id
            FOR NO KEY UPDATE OF t2
        ) AS v
        WHERE t.id = v.id
        RETURNING t.id_tag_folded
        """,
        {name: name in fields for name in IdTagRow._fields},
    )
    changed = [folded for (folded,) in cursor.fetchall()]
    for start in range(0, len(changed), BATCH):
        publish(id_tags_changed, IdTag, folded=changed[start : start + BATCH])
    return len(changed)
