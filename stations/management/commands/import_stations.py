"""manage.py import_stations: create and update stations from a file."""

from collections.abc import Collection, Iterable
from datetime import datetime

from evcharging.tables.import_command import ImportCommand
from evcharging.tables.table import Imported
from stations import import_table
from stations.services.bulk_import import StationRow, import_stations


class Command(ImportCommand[StationRow]):
    help = (
        "Create and update stations from a CSV or XLSX file. An empty registration_status is Accepted; an empty "
        "password, or a column that the file does not have, leaves the present value."
    )
    columns = import_table.COLUMNS

    def parse(self, cells: dict[str, str]) -> StationRow:
        return import_table.station_row(cells)

    def key(self, item: StationRow) -> str:
        return item.identity.lower()

    def store(self, items: Iterable[StationRow], fields: Collection[str], now: datetime) -> Imported:
        return import_stations(rows=items, fields=fields, now=now)
