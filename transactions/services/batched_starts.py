"""Fast path of StartTransaction: a batch in a few statements, whatever its size (ADR 12).

Reads the facts of a whole batch under the locks of start_transaction(), in its order (station → connector → open
transaction → tag). Stores a new start of a known tag that may charge, on a connector that was free by then but for
what the start supersedes; any other needs start_transaction(), which has all rules.
"""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction

from evcharging.db.prepared import columns, run_prepared
from evcharging.events import publish
from id_tags.models import fold_id_tag
from id_tags.selectors import authorization_of, tags_by_folded
from id_tags.types import Authorization
from transactions.models import Transaction
from transactions.selectors import stale_since
from transactions.services.batched import is_accepted_and_credible, release_locks
from transactions.services.readings import known_transactions
from transactions.services.start import has_gap
from transactions.signals import transactions_started, transactions_stopped
from transactions.types import StartAnswer, Started, StartMessage, StartReport, Stopped


class _Candidate(NamedTuple):
    """A start that may take the fast path.

    `place` is its index in the batch, `last_meter_stop` the connector's (Wh), `superseded` the transaction that is
    open there.
    """

    place: int
    message: StartMessage
    connector_pk: int
    last_meter_stop: Decimal | None
    folded: str
    superseded: int | None = None


Accepted = tuple[_Candidate, Authorization]


@transaction.atomic
def record_starts(*, messages: Sequence[StartMessage]) -> list[StartAnswer | None]:
    """Store those starts of a batch that take the fast path, in one database transaction.

    :returns: for each message its answer; None if it is not stored and needs start_transaction().
    """
    answers: list[StartAnswer | None] = [None] * len(messages)
    possible = [
        (place, message)
        for place, message in enumerate(messages)
        if is_accepted_and_credible(message) and _is_complete(message.report)
    ]
    free = _lock_open(_only_free(_lock_connectors(possible)))
    # Groups are not locked: a start that is limited by its group needs start_transaction().
    tags = tags_by_folded(id_tags=[each.message.report.id_tag for each in free], locked=True)
    judged = [(each, authorization_of(tags.get(each.folded), each.message.received.received_at)) for each in free]
    accepted = _only_accepted(judged)
    if not accepted:
        release_locks()
        return answers
    stopped = _supersede([each for each, _ in accepted if each.superseded is not None])
    stored = _insert(accepted)
    started = []
    known: dict[tuple[int, int], int] = {}
    for candidate, authorization in accepted:
        pk, transaction_id = stored[candidate.connector_pk]
        received = candidate.message.received
        known[received.station_id, transaction_id] = pk
        answers[candidate.place] = StartAnswer(transaction_id, authorization.told(), False, True)
        started.append(Started(pk, received.station_id, received.received_at))
    if stopped:
        publish(transactions_stopped, Transaction, stopped=stopped)
    publish(transactions_started, Transaction, started=started)
    known_transactions.remember_on_commit(known)  # their MeterValues come to this process
    return answers


def _is_complete(report: StartReport) -> bool:
    return (
        report.connector_id > 0
        and report.timestamp_raw is not None
        and report.meter_start is not None
        and report.meter_start_raw is not None
    )


# FOR KEY SHARE of the station, as in owns_station().
_LOCK_CONNECTORS_SQL = """
    SELECT s.id, s.connection_epoch, c.connector_id, c.id, c.last_meter_stop_wh
    FROM unnest(%s::bigint[], %s::int[]) AS v(station_id, connector_id)
    JOIN stations_station s ON s.id = v.station_id
    JOIN connectors_connector c ON c.station_id = v.station_id AND c.connector_id = v.connector_id
    ORDER BY s.id, c.connector_id
    FOR KEY SHARE OF s
    FOR NO KEY UPDATE OF c
"""


def _lock_connectors(possible: Sequence[tuple[int, StartMessage]]) -> list[_Candidate]:
    """Lock stations and those of their connectors that exist; return the starts that remain.

    Drops messages of a connection that no longer owns its station, and all but the first start of a connector or of a
    tag.
    """
    wanted = {(message.received.station_id, message.report.connector_id) for _, message in possible}
    if not wanted:
        return []
    rows = run_prepared(_LOCK_CONNECTORS_SQL, columns(list(wanted)))
    connectors = {(station_id, epoch, number): (pk, last) for station_id, epoch, number, pk, last in rows}
    candidates = []
    taken: set[int | str] = set()
    for place, message in possible:
        received = message.received
        connector = connectors.get((received.station_id, received.epoch, message.report.connector_id))
        folded = fold_id_tag(message.report.id_tag)
        if connector is not None and taken.isdisjoint((connector[0], folded)):
            taken |= {connector[0], folded}
            candidates.append(_Candidate(place, message, *connector, folded))
    return candidates


_FREE_SQL = """
    SELECT v.place,
        (SELECT t.id FROM transactions_transaction t WHERE t.connector_id = v.connector AND t.closing = 'open')
    FROM unnest(%s::int[], %s::bigint[], %s::bigint[], %s::int[], %s::text[], %s::text[], %s::text[],
                %s::timestamptz[], %s::bigint[])
        AS v(place, connector, station, reported_connector_id, tag, timestamp_raw, meter_start_raw, at, reservation_id)
    WHERE NOT EXISTS (
        SELECT FROM transactions_transaction t
        WHERE t.station_id = v.station AND t.reported_connector_id = v.reported_connector_id
            AND t.id_tag_folded = v.tag AND t.start_timestamp_raw = v.timestamp_raw
            AND t.meter_start_raw = v.meter_start_raw
            AND t.start_is_credible)
    AND NOT EXISTS (
        SELECT FROM transactions_transaction t
        WHERE t.station_id = v.station AND t.reported_connector_id = v.reported_connector_id
            AND t.id_tag_folded = v.tag AND t.start_timestamp_raw = v.timestamp_raw
            AND t.meter_start_raw = v.meter_start_raw
            AND t.id_seen_at IS NULL)
    AND NOT EXISTS (
        SELECT FROM transactions_transaction t
        WHERE t.connector_id = v.connector AND t.closing = 'open' AND t.started_at > v.at)
    AND NOT EXISTS (
        SELECT FROM transactions_transaction t WHERE t.connector_id = v.connector AND t.stopped_at > v.at)
    AND NOT EXISTS (
        SELECT FROM transactions_reservation r
        WHERE r.station_id = v.station AND r.status IN ('requested', 'active'))
    AND NOT EXISTS (
        SELECT FROM transactions_reservation r
        WHERE r.station_id = v.station AND r.reservation_id = v.reservation_id)
"""


def _only_free(candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """Drop resends, starts with a later transaction on their connector, and starts that a reservation concerns."""
    if not candidates:
        return []
    rows = [
        (
            each.place, each.connector_pk, each.message.received.station_id, each.message.report.connector_id,
            each.folded, each.message.report.timestamp_raw, each.message.report.meter_start_raw,
            each.message.report.reported_at, each.message.report.reservation_id,
        )
        for each in candidates
    ]  # fmt: skip
    free = dict(run_prepared(_FREE_SQL, columns(rows)))
    return [each._replace(superseded=free[each.place]) for each in candidates if each.place in free]


_LOCK_OPEN_SQL = """
    SELECT id FROM transactions_transaction
    WHERE id = ANY(%s::int[]) AND closing = 'open'
    ORDER BY id
    FOR NO KEY UPDATE
"""


def _lock_open(candidates: list[_Candidate]) -> list[_Candidate]:
    """Lock the transactions to be superseded and look again: staff close one without a lock on its connector."""
    open_ = [each.superseded for each in candidates if each.superseded is not None]
    if not open_:
        return candidates
    still_open = {pk for (pk,) in run_prepared(_LOCK_OPEN_SQL, [open_])}
    return [each if each.superseded in still_open else each._replace(superseded=None) for each in candidates]


_COUNT_SQL = """
    SELECT v.place,
        (SELECT count(*) FROM transactions_transaction t
            WHERE t.tag_id = v.tag AND t.stopped_at IS NULL AND t.accepted AND t.started_at <= v.at
                AND t.last_message_at >= v.stale_since AND t.id IS DISTINCT FROM v.superseded)
        + (SELECT count(*) FROM transactions_transaction t
            WHERE t.tag_id = v.tag AND t.stopped_at > v.at AND t.accepted AND t.started_at <= v.at)
    FROM unnest(%s::int[], %s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::int[])
        AS v(place, tag, at, stale_since, superseded)
"""


def _only_accepted(judged: Sequence[Accepted]) -> list[Accepted]:
    """Drop starts of tags that may not charge, or not once more, or that their group limits.

    What other starts of the batch supersede counts as open: where that is one too many, start_transaction() decides
    after the batch.
    """
    limited = [
        (
            each.place, authorization.tag_id, each.message.report.reported_at,
            stale_since(each.message.received.received_at), each.superseded,
        )
        for each, authorization in judged
        if authorization.limit is not None
    ]  # fmt: skip
    counts = dict(run_prepared(_COUNT_SQL, columns(limited))) if limited else {}
    return [
        (each, authorization)
        for each, authorization in judged
        if authorization.is_accepted
        and authorization.limit_group_id is None
        and (authorization.limit is None or counts[each.place] < authorization.limit)
    ]


_SUPERSEDE_SQL = """
    UPDATE transactions_transaction AS t SET
        closing = 'estimated', estimate_cause = 'superseded',
        stopped_at = LEAST(COALESCE(t.last_register_at, t.started_at), v.at),
        estimated_stopped_at = LEAST(COALESCE(t.last_register_at, t.started_at), v.at),
        estimated_energy_wh = t.energy_wh, power_w = NULL,
        marks = ARRAY(
            SELECT DISTINCT mark COLLATE "C"
            FROM unnest(t.marks || ARRAY['superseded', 'missing_stop']::varchar[]) AS mark
            ORDER BY 1)
    FROM unnest(%s::int[], %s::timestamptz[]) AS v(pk, at)
    WHERE t.id = v.pk
    RETURNING t.id, t.station_id, t.transaction_id
"""


def _supersede(candidates: Sequence[_Candidate]) -> list[Stopped]:
    """End by estimate the locked transactions that these starts supersede."""
    if not candidates:
        return []
    ends = [(each.superseded, each.message.report.reported_at) for each in candidates]
    rows = run_prepared(_SUPERSEDE_SQL, columns(ends))
    return [Stopped(*row) for row in rows]


_INSERT_SQL = """
    INSERT INTO transactions_transaction
        (transaction_id, ref, station_id, connector_id, reported_connector_id,
         id_tag, id_tag_folded, tag_id, told_authorization, reservation_id,
         start_timestamp_raw, meter_start_raw, meter_start, started_at, start_reported_at, start_received_at,
         last_message_at, marks,
         accepted, start_is_credible, closing, energy_wh, stop_reason, stop_id_tag, estimate_cause, closed_by,
         close_note)
    SELECT v.transaction_id, v.transaction_id::text, v.station, v.connector, v.reported_connector_id,
        v.id_tag, v.folded, v.tag, v.info::jsonb, v.reservation_id,
        v.timestamp_raw, v.meter_start_raw, v.meter_start, v.at, v.at, v.received_at,
        v.received_at, CASE WHEN v.has_gap THEN ARRAY['meter_gap'] ELSE ARRAY[]::text[] END,
        true, true, 'open', 0, '', '', '', '', ''
    FROM (
        SELECT nextval('transactions_transaction_id_seq') AS transaction_id, u.*
        FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::text[], %s::text[], %s::bigint[], %s::text[],
                    %s::int[], %s::text[], %s::text[], %s::numeric[], %s::timestamptz[], %s::timestamptz[],
                    %s::bool[])
            AS u(station, connector, reported_connector_id, id_tag, folded, tag, info, reservation_id,
                 timestamp_raw, meter_start_raw, meter_start, at, received_at, has_gap)
    ) AS v
    RETURNING connector_id, id, transaction_id
"""


def _insert(accepted: Sequence[Accepted]) -> dict[int, tuple[int, int]]:
    """Store transactions; return primary key and transaction id by the connector's primary key."""
    rows = []
    for each, authorization in accepted:
        message, report = each.message, each.message.report
        rows.append(
            (
                message.received.station_id, each.connector_pk, report.connector_id, report.id_tag, each.folded,
                authorization.tag_id, json.dumps(authorization.told()), report.reservation_id,
                report.timestamp_raw, report.meter_start_raw, report.meter_start, report.reported_at,
                message.received.received_at, has_gap(each.last_meter_stop, report.meter_start),
            )
        )  # fmt: skip
    stored = run_prepared(_INSERT_SQL, columns(rows))
    return {connector_pk: (pk, transaction_id) for connector_pk, pk, transaction_id in stored}
