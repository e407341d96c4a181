"""Stops by the batch: those that end an open transaction as one expects, in a few statements whatever their number.

stop_transaction() has the rules and remains the one place that knows all of them. Here the facts are read for a whole
batch under the same locks in the same order (station → connector → transaction); where they show anything but the
first stop of an open transaction after its start, the stop is left to it.
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
from transactions.services.batched import is_of_good_standing, let_go
from transactions.signals import transactions_stopped
from transactions.types import StopAnswer, StopMessage, Stopped, StopReport


class _Row(NamedTuple):
    """A locked transaction. `epoch` is its station's; `is_latest`: nothing began after it on its connector."""

    epoch: int
    pk: int
    station_id: int
    closing: str
    started_at: datetime
    meter_start: Decimal | None
    is_latest: bool


@transaction.atomic
def record_plain_stops(*, messages: Sequence[StopMessage]) -> list[StopAnswer | None]:
    """Store the plain stops of a batch in one database transaction.

    :returns: for each message its answer, or None: it is not stored, and stop_transaction() decides about it.
    """
    answers: list[StopAnswer | None] = [None] * len(messages)
    possible = [
        (place, message)
        for place, message in enumerate(messages)
        if is_of_good_standing(message) and _is_complete(message.report)
    ]
    tags = tags_by_folded(id_tags=[message.report.id_tag for _, message in possible if message.report.id_tag])
    rows = _lock([message.report.transaction_id for _, message in possible])
    plain: dict[int, StopMessage] = {}
    for place, message in possible:
        report = message.report
        row = rows.get(report.transaction_id)
        if row is None or row.pk in plain or not _is_plain(row, message):
            continue
        info = None
        if report.id_tag is not None:
            tag = tags.get(fold_id_tag(report.id_tag))
            if tag is None:
                continue
            info = authorization_of(tag, message.received_at).told()
        plain[row.pk] = message
        answers[place] = StopAnswer(info, report.transaction_id)
    if not plain:
        let_go()
        return answers
    stopped = _update(plain)
    publish(transactions_stopped, Transaction, stopped=stopped)
    return answers


def _is_complete(report: StopReport) -> bool:
    return report.transaction_id is not None and report.meter_stop is not None and not report.transaction_data


# The station as owns_station() holds it.
_LOCK_OUTLETS_SQL = """
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
    """Lock transactions, whoever's they are, after their stations and connectors; return them by their ids."""
    if not transaction_ids:
        return {}
    epochs = dict(run_prepared(_LOCK_OUTLETS_SQL, [list(transaction_ids)]))
    rows = run_prepared(_LOCK_SQL, [list(transaction_ids)])
    return {transaction_id: _Row(epochs[transaction_id], *values) for transaction_id, *values in rows}


def _is_plain(row: _Row, message: StopMessage) -> bool:
    report = message.report
    return (
        row.station_id == message.station_id
        and row.epoch == message.epoch
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


def _update(plain: Mapping[int, StopMessage]) -> list[Stopped]:
    """End transactions, by primary key, as their stations say, and note the registers on their connectors."""
    values = [
        (
            pk, message.report.reported_at, message.received_at, message.report.reason, message.report.id_tag or "",
            message.report.content_hash.hex(), message.report.meter_stop,
        )
        for pk, message in plain.items()
    ]  # fmt: skip
    return [Stopped(*row) for row in run_prepared(_UPDATE_SQL, columns(values))]
