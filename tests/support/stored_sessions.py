"""Compares what chargers were answered with what the database holds, row by row."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from tests.support.live_server import LiveServer
from tests.support.retrying_charger import Session

Query = Callable[..., list[tuple[Any, ...]]]

TRANSACTIONS = """
    SELECT s.identity, c.connector_id, t.id_tag, t.transaction_id, t.started_at, t.meter_start, t.closing,
           t.stopped_at, t.meter_stop, t.energy_wh
    FROM transactions_transaction t
    JOIN stations_station s ON s.id = t.station_id
    JOIN connectors_connector c ON c.id = t.connector_id
"""
SAMPLES = """
    SELECT s.identity, r.connector_id, r.measurand, m.transaction_ref, t.transaction_id, m.effective_at, m.value
    FROM meter_values m
    JOIN meter_series r ON r.id = m.series_id
    JOIN stations_station s ON s.id = r.station_id
    LEFT JOIN transactions_transaction t ON t.id = m.transaction_id
"""


def expected_transactions(sessions: Iterable[Session]) -> Counter[tuple[Any, ...]]:
    """Return the rows of TRANSACTIONS that complete sessions make."""
    return Counter(
        (
            session.identity,
            session.connector_id,
            session.id_tag,
            session.transaction_id,
            session.started_at,
            session.meter_start,
            "reported",
            session.stopped_at,
            session.meter_stop,
            float(session.meter_stop - session.meter_start),
        )
        for session in sessions
    )


def expected_samples(sessions: Iterable[Session]) -> Counter[tuple[Any, ...]]:
    """Return the rows of SAMPLES that complete sessions make: two for each message."""
    samples: Counter[tuple[Any, ...]] = Counter()
    for session in sessions:
        about = session.identity, session.connector_id
        named = str(session.transaction_id), session.transaction_id
        for at, register_wh in session.samples:
            samples[*about, "Energy.Active.Import.Register", *named, at, float(register_wh)] += 1
            samples[*about, "Power.Active.Import", *named, at, (register_wh % 7 + 7.5) * 1000] += 1
    return samples


def assert_stored_exactly(query: Query, sessions: Iterable[Session]) -> None:
    """Every complete session is one transaction with its energy and its samples once, and there is nothing else."""
    sessions = list(sessions)
    assert all(session.is_stopped and session.answered_samples == len(session.samples) for session in sessions)
    assert len({session.transaction_id for session in sessions}) == len(sessions), "one id for two sessions"
    assert Counter(query(TRANSACTIONS)) == expected_transactions(sessions)
    assert Counter(query(SAMPLES)) == expected_samples(sessions)
    assert query("SELECT * FROM transactions_orphanmessage") == []
    assert query("SELECT * FROM transactions_stopconflict") == []


def add_id_tag(server: LiveServer, id_tag: str) -> None:
    """Make a tag known that may charge any number of times at once."""
    server.query(
        "INSERT INTO id_tags_idtag (id_tag, id_tag_folded, status, max_active_transactions, note, created_at)"
        " VALUES (%s, lower(%s), 'Accepted', 0, '', now())",
        (id_tag, id_tag),
    )


def wait_until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Poll until the condition holds.

    :raises AssertionError: it never did.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
