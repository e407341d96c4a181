"""Fast path of StopTransaction: a batch in a few statements, whatever its size (ADR 12).

Reads the facts of a whole batch under the locks of stop_transaction(), in its order (station → connector →
transaction). Stores the first stop of an open transaction, after its start; any other needs stop_transaction(), which
has all rules.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction

from evcharging.db.prepared import columns, run_prepared
from evcharging.events import publish
from id_tags.models import fold_id_tag
from id_tags.selectors import authorization_of, tags_by_folded
from transactions.models import Closing, Transaction
from transactions.services.batched import is_accepted_and_credible, release_locks
from transactions.signals import transactions_stopped
from transactions.types import StopAnswer, StopMessage, Stopped, StopReport


class _Row(NamedTuple):
    """A locked transaction. `epoch` is its station's; `is_latest`: none on its connector began after it."""

    epoch: int
    pk: int
    station_id: int
    closing: str
    started_at: datetime
    meter_start: Decimal | None
    is_latest: bool


@transaction.atomic
def record_stops(*, messages: Sequence[StopMessage]) -> list[StopAnswer | None]:
    """Store those stops of a batch that take the fast path, in one database transaction.

    :returns: for each message its answer; None if it is not stored and needs stop_transaction().
    """
    answers: list[StopAnswer | None] = [None] * len(messages)
    possible = [
        (place, message)
        for place, message in enumerate(messages)
        if is_accepted_and_credible(message) and _is_complete(message.report)
    ]
    tags = tags_by_folded(id_tags=[message.report.id_tag for _, message in possible if message.report.id_tag])
    rows = _lock([message.report.transaction_id for _, message in possible])
    stops: dict[int, StopMessage] = {}
    for place, message in possible:
        report = message.report
        row = rows.get(report.transaction_id)
        if row is None or row.pk in stops or not _is_first_stop(row, message):
            continue
        info = None
        if report.id_tag is not None:
            tag = tags.get(fold_id_tag(report.id_tag))
            if tag is None:
                continue
            info = authorization_of(tag, message.received.received_at).told()
        stops[row.pk] = message
        answers[place] = StopAnswer(info, report.transaction_id)
    if not stops:
        release_locks()
        return answers
    stopped = _update(stops)
    publish(transactions_stopped, Transaction, stopped=stopped)
    return answers


def _is_complete(report: StopReport) -> bool:
    return report.transaction_id is not None and report.meter_stop is not None and not report.transaction_data


# FOR KEY SHARE of the station, as in owns_station().
_LOCK_CONNECTORS_SQL = """
    SELECT t.transaction_id, s.connection_epoch
    FROM transactions_transaction t
    JOIN connectors_connector c ON c.id = t.connector_id
    JOIN stations_station s ON s.id = t.station_id
    WHERE t.transaction_id = ANY(%s::bigint[])
    ORDER BY s.id, c.connector_id
    FOR KEY SHARE OF s
    FOR NO KEY UPDATE OF c
"""
_LOCK_SQL = """
    SELECT t.transaction_id, t.id, t.station_id, t.closing, t.started_at, t.meter_start,
        NOT EXISTS (
            SELECT FROM transactions_transaction later
            WHERE later.connector_id = t.connector_id AND later.started_at > t.started_at)
    FROM transactions_transaction t
    WHERE t.transaction_id = ANY(%s::bigint[])
    ORDER BY t.id
    FOR NO KEY UPDATE OF t
"""


def _lock(transaction_ids: Sequence[int | None]) -> dict[int | None, _Row]:
    """Lock stations, connectors and then the transactions of these ids, of any station; return the rows by id."""
    if not transaction_ids:
        return {}
    epochs = dict(run_prepared(_LOCK_CONNECTORS_SQL, [list(transaction_ids)]))
    rows = run_prepared(_LOCK_SQL, [list(transaction_ids)])
    return {transaction_id: _Row(epochs[transaction_id], *values) for transaction_id, *values in rows}


def _is_first_stop(row: _Row, message: StopMessage) -> bool:
    """Tell whether the message is the owning connection's, ends its open transaction, and needs no mark."""
    received, report = message.received, message.report
    return (
        row.station_id == received.station_id
        and row.epoch == received.epoch
        and row.closing == Closing.OPEN
        and row.is_latest
        and report.reported_at is not None
        and report.reported_at >= row.started_at
        and report.meter_stop is not None
        and (row.meter_start is None or report.meter_stop >= row.meter_start)
    )


_UPDATE_SQL = """
    WITH ended AS (
        UPDATE transactions_transaction AS t SET
            closing = 'reported', stopped_at = v.at, stop_reported_at = v.at, stop_received_at = v.received_at,
            stop_reason = v.reason, stop_id_tag = v.id_tag, stop_digest = v.digest, meter_stop = v.meter_stop,
            energy_wh = CASE WHEN t.meter_start IS NULL THEN t.energy_wh ELSE v.meter_stop - t.meter_start END,
            power_w = NULL, last_message_at = GREATEST(t.last_message_at, v.received_at),
            id_seen_at = COALESCE(t.id_seen_at, v.received_at)
        FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::text[], %s::text[], %s::uuid[],
                    %s::numeric[])
            AS v(pk, at, received_at, reason, id_tag, digest, meter_stop)
        WHERE t.id = v.pk
        RETURNING t.id, t.station_id, t.transaction_id, t.connector_id, t.meter_stop
    ),
    noted AS (
        UPDATE connectors_connector AS c SET last_meter_stop_wh = ended.meter_stop
        FROM ended
        WHERE c.id = ended.connector_id
    )
    SELECT id, station_id, transaction_id FROM ended
"""


def _update(stops: Mapping[int, StopMessage]) -> list[Stopped]:
    """End transactions, by primary key, as their stations say; keep the registers on their connectors."""
    values = [
        (
            pk, message.report.reported_at, message.received.received_at, message.report.reason,
            message.report.id_tag or "", message.report.content_hash.hex(), message.report.meter_stop,
        )
        for pk, message in stops.items()
    ]  # fmt: skip
    return [Stopped(*row) for row in run_prepared(_UPDATE_SQL, columns(values))]
