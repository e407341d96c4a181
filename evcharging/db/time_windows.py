"""Read a hypertable by time in windows, so that each statement opens only the chunks of its window.

Without a bound that is a constant, PostgreSQL plans a statement for every chunk there ever was.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import QuerySet
from timescale.db.models.fields import TimescaleDateTimeField

from evcharging.db.timescale import first_chunk_begin, is_hypertable

FIRST_WINDOW = timedelta(days=31)
GROWTH = 4
"""How many times as long as the one before each further window is."""


_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


class Window(NamedTuple):
    """From `since` until before `until`; None where it is open."""

    since: datetime | None
    until: datetime | None


def windows_back(table: str, *, latest: datetime) -> Iterator[Window]:
    """Yield windows that cover a table's time from its end to its begin; a plain table's in one.

    :param latest: where most of what is looked for begins: the first window reaches back from here, its end is open.
    """
    if not is_hypertable(table):
        yield Window(None, None)
        return
    until, width = max(latest, _EARLIEST) - FIRST_WINDOW, FIRST_WINDOW * GROWTH
    yield Window(until, None)
    floor = first_chunk_begin(table)
    while floor is not None and until > floor:
        yield Window(max(until - width, floor), until)
        until, width = until - width, width * GROWTH


def windows_on(table: str, *, since: datetime | None, latest: datetime) -> Iterator[Window]:
    """Yield windows that cover a table's time from `since`, None for its begin; the last one, open, begins at `latest`
    or earlier."""
    begin = since
    if is_hypertable(table):
        begin = begin or first_chunk_begin(table)
        width = FIRST_WINDOW
        while begin is not None and latest - begin > width:
            yield Window(begin, begin + width)
            begin, width = begin + width, width * GROWTH
    yield Window(begin, None)


def has_rows(queryset: QuerySet) -> bool:
    """Tell whether a queryset has any row; of a hypertable, by a statement for each window."""
    model = queryset.model
    columns = [field.name for field in model._meta.fields if isinstance(field, TimescaleDateTimeField)]
    if not columns or not is_hypertable(model._meta.db_table):
        return queryset.exists()
    for window in windows_back(model._meta.db_table, latest=datetime.now(UTC)):
        inside = queryset.filter(**{f"{columns[0]}__gte": window.since})
        if window.until is not None:
            inside = inside.filter(**{f"{columns[0]}__lt": window.until})
        if inside.exists():
            return True
    return False


def rows_by_time(
    queryset: QuerySet, *, column: str, limit: int, since: datetime | None, until: datetime | None, now: datetime
) -> list[Any]:
    """Return the first `limit` rows of a queryset that is ordered by `column`, or by it descending.

    :param since: where the queryset's own conditions begin, None for nowhere.
    :param until: where they end, None for nowhere.
    """
    table = queryset.model._meta.db_table
    is_descending = str(queryset.query.order_by[0]).startswith("-")
    found = windows_back(table, latest=until or now) if is_descending else windows_on(table, since=since, latest=now)
    rows: list[Any] = []
    for window in found:
        bounds = {f"{column}__gte": window.since, f"{column}__lt": window.until}
        inside = queryset.filter(**{name: at for name, at in bounds.items() if at is not None})
        rows += inside[: limit - len(rows)]
        is_last = _reaches(since, window.since) if is_descending else _reaches(window.until, until)
        if len(rows) >= limit or is_last:
            break
    return rows


def _reaches(later: datetime | None, earlier: datetime | None) -> bool:
    return later is not None and earlier is not None and later >= earlier
