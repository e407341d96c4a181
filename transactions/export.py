"""Export of transactions: columns and row selection."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.fields.json import KT

from evcharging.tables.writers import Cell
from id_tags.models import fold_id_tag
from stations.models import Station
from transactions.models import Transaction

#: Columns and the fields of their values. Registers and energy in Wh, times in UTC.
_SOURCES = {
    "transaction_id": "transaction_id",
    "station": "station__identity",
    "connector_id": "connector__connector_id",
    "id_tag": "id_tag",
    "id_tag_status": KT("told_authorization__status"),
    "started_at": "started_at",
    "stopped_at": "stopped_at",
    "meter_start": "meter_start",
    "meter_stop": "meter_stop",
    "energy_wh": "energy_wh",
    "closing": "closing",
    "stop_reason": "stop_reason",
    "stop_id_tag": "stop_id_tag",
    "marks": "marks",
    "estimate_cause": "estimate_cause",
    "estimated_stopped_at": "estimated_stopped_at",
    "estimated_energy_wh": "estimated_energy_wh",
    "reservation_id": "reservation_id",
    "start_reported_at": "start_reported_at",
    "start_received_at": "start_received_at",
    "stop_reported_at": "stop_reported_at",
    "stop_received_at": "stop_received_at",
    "last_message_at": "last_message_at",
}
COLUMNS = tuple(_SOURCES)
_CLOSING, _MARKS = COLUMNS.index("closing"), COLUMNS.index("marks")
_CHUNK = 2000


class TransactionRow(NamedTuple):
    """One row: its cells, and the flags that are counted."""

    cells: Sequence[Cell]
    is_open: bool
    is_suspicious: bool


class UnknownStation(Exception):
    """There is no station of this identity."""


def selected_transactions(
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    identities: Sequence[str] = (),
    id_tags: Sequence[str] = (),
    closings: Sequence[str] = (),
    is_suspicious: bool | None = None,
) -> QuerySet[Transaction]:
    """Return the transactions that started in [since, until), filtered by stations, tags and closings where given.

    Identities and tags are compared without case.

    :raises UnknownStation: with the identity.
    """
    rows = Transaction.objects.all()
    if since is not None:
        rows = rows.filter(started_at__gte=since)
    if until is not None:
        rows = rows.filter(started_at__lt=until)
    if identities:
        rows = rows.filter(station__in=[_station_pk(identity) for identity in identities])
    if id_tags:
        rows = rows.filter(id_tag_folded__in=[fold_id_tag(id_tag) for id_tag in id_tags])
    if closings:
        rows = rows.filter(closing__in=closings)
    if is_suspicious is not None:
        rows = rows.suspicious() if is_suspicious else rows.filter(marks=[])
    return rows


def _station_pk(identity: str) -> int:
    pk = Station.objects.with_identity(identity).values_list("pk", flat=True).first()
    if pk is None:
        raise UnknownStation(identity)
    return pk


def transaction_rows(transactions: QuerySet[Transaction]) -> Iterator[TransactionRow]:
    """Yield the rows by start and id, as one snapshot, from a server-side cursor."""
    sources: list[Any] = list(_SOURCES.values())
    rows = transactions.order_by("started_at", "pk").values_list(*sources)
    with transaction.atomic():  # else the cursor is WITH HOLD, and the server materialises the whole result
        for values in rows.iterator(chunk_size=_CHUNK):
            marks = values[_MARKS]
            cells = [*values[:_MARKS], " ".join(marks), *values[_MARKS + 1 :]]
            yield TransactionRow(cells, values[_CLOSING] == "open", bool(marks))
