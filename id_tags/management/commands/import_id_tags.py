"""manage.py import_id_tags: create and update id tags from a file."""

from collections.abc import Collection, Iterable
from datetime import datetime

from evcharging.tables.import_command import ImportCommand
from evcharging.tables.table import Imported
from id_tags import import_table
from id_tags.models import fold_id_tag
from id_tags.services.bulk_import import IdTagRow, import_id_tags


class Command(ImportCommand[IdTagRow]):
    help = (
        "Create and update id tags from a CSV or XLSX file. An empty status is Accepted; a time without an offset is "
        "UTC; a column that the file does not have leaves the present value."
    )
    columns = import_table.COLUMNS

    def parse(self, cells: dict[str, str]) -> IdTagRow:
        return import_table.id_tag_row(cells)

    def key(self, item: IdTagRow) -> str:
        return fold_id_tag(item.id_tag)

    def store(self, items: Iterable[IdTagRow], fields: Collection[str], now: datetime) -> Imported:
        return import_id_tags(rows=items, fields=fields)
