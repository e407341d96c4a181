"""The transaction that meter values belong to, and its running values."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from evcharging.db.binary_arrays import numerics
from evcharging.db.known_rows import KnownRows
from evcharging.db.prepared import columns, run_prepared
from stations.services.reports import content_digest
from transactions.models import OrphanKind
from transactions.services.fitting import only_running


class TransactionRef(NamedTuple):
    """A transaction as a MeterValues message names it; `transaction_id` is None where that is no usable id."""

    station_id: int
    connector_id: int
    transaction_id: int | None
    transaction_ref: str
    effective_at: datetime
    last_effective_at: datetime
    received_at: datetime


class ResolvedRef(NamedTuple):
    """The transaction's primary key, and whether the message named its id."""

    pk: int
    is_named: bool


class RunningValue(NamedTuple):
    """The newest register (Wh), power (W) and state of charge (%) of a message, each with its effective time."""

    transaction_pk: int
    is_named: bool
    received_at: datetime
    register_wh: float | None
    register_at: datetime | None
    power_w: float | None
    power_at: datetime | None
    soc_percent: float | None
    soc_at: datetime | None


_REGISTER = RunningValue._fields.index("register_wh")

known_transactions: KnownRows[tuple[int, int]] = KnownRows(100_000)
"""Primary keys by station and transaction id."""

_FIND_SQL = "SELECT station_id, transaction_id, id FROM transactions_transaction WHERE transaction_id = ANY(%s::int[])"


def resolve_refs(*, refs: Iterable[TransactionRef]) -> list[ResolvedRef | None]:
    """Return the transaction of each ref: the station's own of that id, else the only one at its connector and time.

    Never returns another station's. Keeps what matches none as an orphan, a row per connector, reported id and day.
    """
    refs = list(refs)
    keys = {(ref.station_id, ref.transaction_id) for ref in refs if ref.transaction_id is not None}
    known = {key: pk for key in keys if (pk := known_transactions.get(key)) is not None}
    wanted = {transaction_id for station_id, transaction_id in keys if (station_id, transaction_id) not in known}
    if wanted:
        rows = run_prepared(_FIND_SQL, [list(wanted)])
        found = {(station_id, transaction_id): pk for station_id, transaction_id, pk in rows}
        known |= found
        known_transactions.remember_on_commit(found)
    resolved: list[ResolvedRef | None] = []
    for ref in refs:
        pk = None if ref.transaction_id is None else known.get((ref.station_id, ref.transaction_id))
        if pk is not None:
            resolved.append(ResolvedRef(pk, True))
            continue
        pk = _only_running(ref)
        if pk is None:
            _keep_for_review(ref)
        resolved.append(None if pk is None else ResolvedRef(pk, False))
    return resolved


def update_running_values(*, values: Iterable[RunningValue]) -> None:
    """Update energy, power and state of charge of transactions whose stop has not come, where a value is not older.

    Of a stopped transaction only last_message_at and id_seen_at change.
    """
    merged: dict[int, RunningValue] = {}
    for value in values:
        known = merged.get(value.transaction_pk)
        merged[value.transaction_pk] = value if known is None else _newer(known, value)
    if not merged:
        return
    rows = [merged[pk] for pk in sorted(merged)]
    parameters = columns(rows)
    # A sample is a float; as the register of a transaction it is the shortest decimal that stands for it.
    parameters[_REGISTER] = numerics([row.register_wh for row in rows])
    run_prepared(_UPDATE_SQL, parameters)


def _newer(a: RunningValue, b: RunningValue) -> RunningValue:
    """Merge two values of one transaction; of equal times the later message's counts."""

    def pick(
        value_a: float | None, at_a: datetime | None, value_b: float | None, at_b: datetime | None
    ) -> tuple[float | None, datetime | None]:
        return (value_b, at_b) if at_a is None or (at_b is not None and at_b >= at_a) else (value_a, at_a)

    return RunningValue(
        a.transaction_pk,
        a.is_named or b.is_named,
        max(a.received_at, b.received_at),
        *pick(a.register_wh, a.register_at, b.register_wh, b.register_at),
        *pick(a.power_w, a.power_at, b.power_w, b.power_at),
        *pick(a.soc_percent, a.soc_at, b.soc_percent, b.soc_at),
    )


_UPDATE_SQL = """
    UPDATE transactions_transaction AS t SET
        id_seen_at = COALESCE(t.id_seen_at, CASE WHEN v.is_named THEN v.received_at END),
        last_message_at = GREATEST(t.last_message_at, v.received_at),
        last_register_wh = CASE WHEN v.register_is_newer THEN v.register_wh ELSE t.last_register_wh END,
        last_register_at = CASE WHEN v.register_is_newer THEN v.register_at ELSE t.last_register_at END,
        energy_wh = CASE
            -- GREATEST skips nulls: without the register at the start the energy would be 0, not unknown.
            WHEN v.register_is_newer AND t.meter_start IS NOT NULL THEN GREATEST(v.register_wh - t.meter_start, 0)
            ELSE t.energy_wh
        END,
        power_w = CASE WHEN v.power_is_newer THEN v.power_w ELSE t.power_w END,
        power_at = CASE WHEN v.power_is_newer THEN v.power_at ELSE t.power_at END,
        soc_percent = CASE WHEN v.soc_is_newer THEN v.soc_percent ELSE t.soc_percent END,
        soc_at = CASE WHEN v.soc_is_newer THEN v.soc_at ELSE t.soc_at END,
        marks = CASE
            WHEN v.register_is_newer AND v.register_wh < COALESCE(t.last_register_wh, t.meter_start)
                AND NOT 'meter_regression' = ANY(t.marks)
            THEN t.marks || ARRAY['meter_regression']::varchar(20)[]
            ELSE t.marks
        END
    FROM (
        SELECT t2.id, n.*,
            t2.closing <> 'reported' AND n.register_at IS NOT NULL
                AND (t2.last_register_at IS NULL OR t2.last_register_at <= n.register_at) AS register_is_newer,
            t2.closing = 'open' AND n.power_at IS NOT NULL
                AND (t2.power_at IS NULL OR t2.power_at <= n.power_at) AS power_is_newer,
            t2.closing <> 'reported' AND n.soc_at IS NOT NULL
                AND (t2.soc_at IS NULL OR t2.soc_at <= n.soc_at) AS soc_is_newer
        FROM unnest(%s::int[], %s::bool[], %s::timestamptz[], %s::numeric(24, 3)[], %s::timestamptz[], %s::float8[],
                    %s::timestamptz[], %s::float8[], %s::timestamptz[])
            AS n(pk, is_named, received_at, register_wh, register_at, power_w, power_at, soc_percent, soc_at)
        JOIN transactions_transaction t2 ON t2.id = n.pk
        ORDER BY t2.id
        FOR NO KEY UPDATE OF t2
    ) AS v
    WHERE t.id = v.id
"""


def _only_running(ref: TransactionRef) -> int | None:
    row = only_running(
        station_id=ref.station_id, connector_id=ref.connector_id, since=ref.effective_at, until=ref.effective_at
    )
    return None if row is None else row.pk


def _keep_for_review(ref: TransactionRef) -> None:
    """Insert or count the orphan of this connector, reported id and day.

    An adopted one waits again if the message lies outside its times: its samples are in no transaction. Within them it
    is a resend.
    """
    day = ref.effective_at.date().isoformat()
    digest = content_digest(None, {"connector": ref.connector_id, "ref": ref.transaction_ref, "day": day})
    with connection.cursor() as cursor:
        cursor.execute(
            _KEEP_SQL,
            [
                ref.station_id, OrphanKind.METER_VALUES, ref.transaction_ref[:255], ref.connector_id, digest,
                ref.effective_at, ref.last_effective_at, ref.received_at, ref.received_at,
            ],
        )  # fmt: skip


# In SET, every expression sees the row as it was.
_IS_NEW = """
    (o.state = 'adopted' AND (excluded.effective_at < o.effective_at
                              OR excluded.last_effective_at > o.last_effective_at))
"""
_KEEP_SQL = f"""
    INSERT INTO transactions_orphanmessage AS o
        (station_id, kind, transaction_ref, connector_id, digest, id_tag, stop_reason, effective_at,
         last_effective_at, received_at, last_received_at, count, state, resolved_by, resolution_note)
    VALUES (%s, %s, %s, %s, %s, '', '', %s, %s, %s, %s, 1, 'waiting', '', '')
    ON CONFLICT (station_id, kind, digest) DO UPDATE SET
        count = o.count + 1,
        effective_at = CASE WHEN {_IS_NEW} THEN excluded.effective_at
                            ELSE LEAST(o.effective_at, excluded.effective_at) END,
        last_effective_at = CASE WHEN {_IS_NEW} THEN excluded.last_effective_at
                                 ELSE GREATEST(o.last_effective_at, excluded.last_effective_at) END,
        last_received_at = GREATEST(o.last_received_at, excluded.last_received_at),
        state = CASE WHEN {_IS_NEW} THEN 'waiting' ELSE o.state END,
        transaction_id = CASE WHEN {_IS_NEW} THEN NULL ELSE o.transaction_id END,
        resolved_at = CASE WHEN {_IS_NEW} THEN NULL ELSE o.resolved_at END,
        resolved_by = CASE WHEN {_IS_NEW} THEN '' ELSE o.resolved_by END,
        resolution_note = CASE WHEN {_IS_NEW} THEN '' ELSE o.resolution_note END
"""
