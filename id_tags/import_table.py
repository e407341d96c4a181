"""Columns of the id tag import, and the parsing of its rows."""

from evcharging.tables.table import Column, check_length, choice_parser, parse_cell, parse_time
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

MAX_LENGTH = 255
_MAX_INTEGER = 2**31 - 1
_parse_status = choice_parser(IdTagStatus.values)


def id_tag_row(cells: dict[str, str]) -> IdTagRow:
    """Parse a row of text; an empty status is Accepted.

    :raises ValueError: with column and reason.
    """
    if not cells["id_tag"]:
        raise ValueError("id_tag: it is empty")
    return IdTagRow(
        parse_cell(cells, "id_tag", _check_name, ""),
        parse_cell(cells, "status", _parse_status, IdTagStatus.ACCEPTED.value),
        parse_cell(cells, "expires_at", parse_time, None),
        parse_cell(cells, "parent_id_tag", _check_name, ""),
        parse_cell(cells, "max_active_transactions", _parse_limit, None),
        cells.get("note", ""),
    )


def _check_name(text: str) -> str:
    check_length(fold_id_tag(text), MAX_LENGTH)  # folding may lengthen it: ß is ss
    return check_length(text, MAX_LENGTH)


def _parse_limit(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= _MAX_INTEGER:
        return int(text)
    raise ValueError(f"{text[:50]!r} is no whole number from 0 to {_MAX_INTEGER}")
