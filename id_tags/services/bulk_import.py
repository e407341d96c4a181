"""Many id tags at once, from a list that staff keep elsewhere; one by one they are services.import_id_tag's."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from django.db import connection, transaction

from evcharging.db.advisory_locks import AdvisoryLock, lock_for_transaction
from evcharging.events import publish
from evcharging.tables.table import Imported
from id_tags.models import IdTag, IdTagGroup, IdTagStatus, fold_id_tag
from id_tags.signals import id_tags_changed

BATCH = 1000


class IdTagRow(NamedTuple):
    """One tag as a list has it; a `parent_id_tag` of "" is no group."""

    id_tag: str
    status: str = IdTagStatus.ACCEPTED
    expires_at: datetime | None = None
    parent_id_tag: str = ""
    max_active_transactions: int | None = None
    note: str = ""


@transaction.atomic
def import_id_tags(*, rows: Iterable[IdTagRow], facts: Collection[str]) -> Imported:
    """Create or update tags in one database transaction, in bounded memory; what is given twice changes nothing.

    The rows are collected beside the table first, so that the tags are locked, in one order, for as short as can be:
    starts go on meanwhile. A parent_id_tag that is not yet known becomes a group without a limit. `rows` may raise to
    call it all off.

    :param rows: a tag is there once, whatever its case.
    :param facts: the fields that the list knows; a known tag keeps the others.
    """
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.incoming_id_tags")
        cursor.execute(
            "CREATE TEMPORARY TABLE incoming_id_tags ("
            " position bigint, id_tag text, folded text, status text, expires_at timestamptz, parent_id_tag text,"
            " parent_folded text, max_active_transactions int, note text"
            ") ON COMMIT DROP"
        )
        total = 0
        for batch in _batches(rows):
            _collect(cursor, batch, total)
            total += len(batch)
        cursor.execute("CREATE INDEX ON incoming_id_tags (folded)")
        cursor.execute("ANALYZE incoming_id_tags")
        lock_for_transaction(AdvisoryLock.ID_TAG_IMPORT)
        _create_groups(cursor)
        created = _create_missing(cursor)
        updated = _update_known(cursor, facts)
        cursor.execute("DELETE FROM id_tags_unknownidtag u USING incoming_id_tags i WHERE u.id_tag_folded = i.folded")
    return Imported(created, updated, total - created - updated)


def _batches(rows: Iterable[IdTagRow]) -> Iterator[list[IdTagRow]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def _collect(cursor: Any, batch: Sequence[IdTagRow], position: int) -> None:
    with cursor.copy("COPY incoming_id_tags FROM STDIN") as copy:
        for number, row in enumerate(batch, position):
            copy.write_row(
                (
                    number,
                    row.id_tag,
                    fold_id_tag(row.id_tag),
                    row.status,
                    row.expires_at,
                    row.parent_id_tag,
                    fold_id_tag(row.parent_id_tag),
                    row.max_active_transactions,
                    row.note,
                )
            )


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
    created, position = 0, -1
    while True:
        cursor.execute(
            """
            SELECT i.position, i.id_tag, i.status, i.expires_at, g.id, i.max_active_transactions, i.note
            FROM incoming_id_tags i
            LEFT JOIN id_tags_idtaggroup g ON g.parent_id_tag_folded = i.parent_folded
            WHERE i.position > %s AND NOT EXISTS (SELECT 1 FROM id_tags_idtag t WHERE t.id_tag_folded = i.folded)
            ORDER BY i.position LIMIT %s
            """,
            [position, BATCH],
        )
        found = cursor.fetchall()
        if not found:
            return created
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
        # One that staff add at this very moment is left to the update.
        IdTag.objects.bulk_create(tags, ignore_conflicts=True)
        publish(id_tags_changed, IdTag, folded=[tag.id_tag_folded for tag in tags])
        position = found[-1][0]
        created += len(found)


def _update_known(cursor: Any, facts: Collection[str]) -> int:
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
        {name: name in facts for name in IdTagRow._fields},
    )
    changed = [folded for (folded,) in cursor.fetchall()]
    for start in range(0, len(changed), BATCH):
        publish(id_tags_changed, IdTag, folded=changed[start : start + BATCH])
    return len(changed)
