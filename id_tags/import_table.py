"""The list of id tags that `import_id_tags` reads: its columns, and what may stand in them."""

from evcharging.tables.table import Column, parse_time
from id_tags.models import IdTagStatus, fold_id_tag
from id_tags.services.bulk_import import IdTagRow

COLUMNS = (
    Column("id_tag", is_required=True),
    Column("status"),
    Column("expires_at", is_time=True),
    Column("parent_id_tag"),
    Column("max_active_transactions"),
    Column("note"),
)

_STATUSES = {status.value.lower(): status.value for status in IdTagStatus}
MAX_LENGTH = 255
_MAX_INTEGER = 2**31 - 1


def id_tag_row(cells: dict[str, str]) -> IdTagRow:
    """Return the tag that a row of text means; an empty status is Accepted.

    :raises ValueError: with the reason.
    """
    for name in ("id_tag", "parent_id_tag"):
        text = cells.get(name, "")
        longest = max(len(text), len(fold_id_tag(text)))
        if longest > MAX_LENGTH:
            raise ValueError(f"{name}: {longest} characters, of which there may be {MAX_LENGTH}")
    if not cells["id_tag"]:
        raise ValueError("id_tag: it is empty")
    status = cells.get("status", "")
    if status and status.lower() not in _STATUSES:
        raise ValueError(f"status: {status[:50]!r} is none of {', '.join(IdTagStatus.values)}")
    expires_at = cells.get("expires_at", "")
    try:
        at = parse_time(expires_at) if expires_at else None
    except ValueError as error:
        raise ValueError(f"expires_at: {error}") from None
    limit = cells.get("max_active_transactions", "")
    if limit and not (limit.isascii() and limit.isdigit() and len(limit) <= 10 and int(limit) <= _MAX_INTEGER):
        raise ValueError(f"max_active_transactions: {limit[:50]!r} is no whole number from 0 to {_MAX_INTEGER}")
    return IdTagRow(
        cells["id_tag"],
        _STATUSES[status.lower()] if status else IdTagStatus.ACCEPTED,
        at,
        cells.get("parent_id_tag", ""),
        int(limit) if limit else None,
        cells.get("note", ""),
    )
