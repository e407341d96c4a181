"""Invariants between transactions, their connectors and their messages; staff must look at what breaks one.

Each check is one statement, and so sees one snapshot while messages go on arriving.
"""

from datetime import datetime
from typing import NamedTuple

from django.db import connection

from transactions.selectors import stale_since

MAX_SHOWN = 20


class Finding(NamedTuple):
    """An invariant that does not hold: the number of rows that break it, and the first of them."""

    title: str
    rows: int
    examples: list[str]


class Invariant(NamedTuple):
    """`sql` selects a text and an order for each row that breaks it; it may use %(stale_since)s.

    `is_mended`: close_stale() mends it, so it only counts after one.
    """

    title: str
    sql: str
    is_mended: bool = False


INVARIANTS = (
    Invariant(
        "the energy is not the difference of the registers",
        """
        SELECT format('%%s transaction %%s: energy %%s Wh, registers %%s to %%s Wh', s.identity, t.transaction_id,
                      coalesce(trim_scale(t.energy_wh)::text, 'unknown'),
                      coalesce(trim_scale(t.meter_start)::text, 'unknown'),
                      trim_scale(CASE WHEN t.closing = 'reported' THEN t.meter_stop ELSE t.last_register_wh END)), t.id
        FROM transactions_transaction t JOIN stations_station s ON s.id = t.station_id
        WHERE t.energy_wh IS DISTINCT FROM CASE
            WHEN t.meter_start IS NULL THEN NULL
            WHEN t.closing = 'reported' AND t.meter_stop IS NOT NULL THEN greatest(t.meter_stop - t.meter_start, 0)
            -- Without a newer register the energy stays what it was.
            WHEN t.closing <> 'reported' AND t.last_register_wh IS NOT NULL
                THEN greatest(t.last_register_wh - t.meter_start, 0)
            ELSE t.energy_wh
        END
        """,
    ),
    Invariant(
        "the connector remembers another register than its latest transaction ended with",
        """
        SELECT format('%%s connector %%s: remembers %%s Wh, transaction %%s ended with %%s Wh', s.identity,
                      c.connector_id, coalesce(trim_scale(c.last_meter_stop_wh)::text, 'nothing'), t.transaction_id,
                      trim_scale(t.meter_stop)), t.id
        FROM connectors_connector c
        JOIN stations_station s ON s.id = c.station_id
        JOIN LATERAL (
            SELECT * FROM transactions_transaction t WHERE t.connector_id = c.id ORDER BY started_at DESC LIMIT 1
        ) t ON true
        WHERE t.meter_stop IS NOT NULL AND c.last_meter_stop_wh IS DISTINCT FROM t.meter_stop
            -- Of two that began at the same instant either may have ended last.
            AND NOT EXISTS (SELECT 1 FROM transactions_transaction o WHERE o.connector_id = c.id
                            AND o.started_at = t.started_at AND o.meter_stop = c.last_meter_stop_wh)
        """,
    ),
    Invariant(
        "open, though its connector has begun another",
        """
        SELECT format('%%s connector %%s: transaction %%s is open', s.identity, c.connector_id, t.transaction_id), t.id
        FROM transactions_transaction t
        JOIN connectors_connector c ON c.id = t.connector_id
        JOIN stations_station s ON s.id = t.station_id
        WHERE t.closing = 'open' AND EXISTS (
            SELECT 1 FROM transactions_transaction o
            WHERE o.connector_id = t.connector_id AND (o.started_at, o.id) > (t.started_at, t.id)
                AND (o.started_at > t.started_at OR o.closing = 'open')
        )
        """,
    ),
    Invariant(
        "open, though its station has been away for longer than TX_STALE_H",
        """
        SELECT format('%%s transaction %%s: the station was last seen %%s', s.identity, t.transaction_id,
                      coalesce(to_char(s.last_seen_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), 'never')), t.id
        FROM transactions_transaction t JOIN stations_station s ON s.id = t.station_id
        WHERE t.closing = 'open' AND t.last_message_at < %(stale_since)s
            AND coalesce(s.last_seen_at, '-infinity') < %(stale_since)s
        """,
        is_mended=True,
    ),
    Invariant(
        "ended before it began, without a mark that says so",
        """
        SELECT format('%%s transaction %%s', s.identity, t.transaction_id), t.id
        FROM transactions_transaction t JOIN stations_station s ON s.id = t.station_id
        WHERE t.closing = 'reported' AND t.stopped_at < t.started_at AND NOT 'clock_unset' = ANY(t.marks)
        """,
    ),
    Invariant(
        "on a connector of another station",
        """
        SELECT format('%%s transaction %%s', s.identity, t.transaction_id), t.id
        FROM transactions_transaction t
        JOIN connectors_connector c ON c.id = t.connector_id
        JOIN stations_station s ON s.id = t.station_id
        WHERE c.station_id <> t.station_id
        """,
    ),
    Invariant(
        "an adopted message is with no transaction, or with one that has another stop",
        """
        SELECT format('%%s %%s, reported id %%s', s.identity, o.kind, o.transaction_ref), o.id
        FROM transactions_orphanmessage o
        JOIN stations_station s ON s.id = o.station_id
        LEFT JOIN transactions_transaction t ON t.id = o.transaction_id
        WHERE o.state = 'adopted'
            AND (t.id IS NULL OR t.station_id <> o.station_id
                 OR (o.kind = 'stop' AND t.stop_digest IS DISTINCT FROM o.digest))
        """,
    ),
    Invariant(
        "the next transaction id has been given already",
        """
        SELECT format('transaction %%s is there, the next is %%s', highest, last_value + is_called::int), highest
        FROM transactions_transaction_id_seq, (SELECT max(transaction_id) AS highest FROM transactions_transaction) t
        WHERE highest >= last_value + is_called::int
        """,
    ),
)


def broken_invariants(*, now: datetime, is_mended: bool = True) -> list[Finding]:
    """Return the invariants that do not hold; those that close_stale() mends only if it has run."""
    found = (_check(invariant, now) for invariant in INVARIANTS if is_mended or not invariant.is_mended)
    return [finding for finding in found if finding.rows]


def _check(invariant: Invariant, now: datetime) -> Finding:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT text, count(*) OVER () FROM ({invariant.sql}) AS found (text, position) "
            f"ORDER BY position LIMIT {MAX_SHOWN}",
            {"stale_since": stale_since(now)},
        )
        rows = cursor.fetchall()
    return Finding(invariant.title, rows[0][1] if rows else 0, [text for text, _ in rows])
