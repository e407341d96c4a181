"""Stations that charge at full speed while a test breaks something, and what they and the database make of it."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.retrying_charger import RetryingCharger, Session
from tests.support.stored_sessions import SAMPLES, TRANSACTIONS, Query, expected_samples, expected_transactions

SAMPLES_PER_SESSION = 4
ROWS_PER_MESSAGE = 2
"""Samples of one MeterValues message."""

_COUNTS = """
    SELECT (SELECT count(*) FROM transactions_transaction),
           (SELECT count(*) FROM meter_values),
           (SELECT count(*) FROM transactions_transaction WHERE closing = 'reported'),
           (SELECT count(*) FROM transactions_orphanmessage),
           (SELECT count(*) FROM transactions_stopconflict)
"""


@dataclass(frozen=True)
class Outcome:
    """What was acknowledged to the stations and what is stored; `differences` are rows of one side alone."""

    acked: Counter[str]
    transactions: int
    samples: int
    reported_ends: int
    orphans: int
    conflicts: int
    differences: list[str]

    @property
    def is_exact(self) -> bool:
        stored = (self.transactions, self.samples, self.reported_ends, self.orphans, self.conflicts)
        starts, messages, stops = (self.acked[name] for name in ("StartTransaction", "MeterValues", "StopTransaction"))
        return stored == (starts, messages * ROWS_PER_MESSAGE, stops, 0, 0) and not self.differences

    def __str__(self) -> str:
        return (
            f"{'':18}{'acked':>10}{'stored':>10}\n"
            f"{'StartTransaction':18}{self.acked['StartTransaction']:10}{self.transactions:10} transactions\n"
            f"{'MeterValues':18}{self.acked['MeterValues']:10}{self.samples:10} samples, {ROWS_PER_MESSAGE} each\n"
            f"{'StopTransaction':18}{self.acked['StopTransaction']:10}{self.reported_ends:10} reported ends\n"
            f"{'orphans':18}{'':10}{self.orphans:10}\n"
            f"{'other stops':18}{'':10}{self.conflicts:10}\n"
            f"{'rows that differ':18}{'':10}{len(self.differences):10}"
        )


class Fleet:
    """`async with Fleet(...)`: stations charge one session after the other; leaving it, each ends its last one."""

    def __init__(self, urls: Sequence[str], stations: int) -> None:
        self.began_at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=365)
        self.chargers = [
            RetryingCharger(urls, f"CP-{number:04}", seed=number, answer_s=30, pause_s=(0.1, 0.5))
            for number in range(stations)
        ]
        self.transaction_ids: dict[str, list[int]] = {charger.identity: [] for charger in self.chargers}
        self._tasks: list[asyncio.Task[None]] = []
        self._is_leaving = False

    async def __aenter__(self) -> "Fleet":
        self._tasks = [asyncio.create_task(self._charge(charger)) for charger in self.chargers]
        return self

    async def __aexit__(self, *error: object) -> None:
        self._is_leaving = True
        if error[0] is not None:
            for task in self._tasks:
                task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(charger.close() for charger in self.chargers))
        if error[0] is None:
            for result in results:
                if result is not None:
                    raise result

    async def _charge(self, charger: RetryingCharger) -> None:
        await charger.boot()
        ids = self.transaction_ids[charger.identity]
        while not self._is_leaving:
            session = await charger.charge(self._session(charger.identity, len(ids)))
            ids.append(session.transaction_id)

    async def progress(self, messages: int = 8, timeout_s: float = 60.0) -> None:
        """Wait until every station was answered so many messages from now on.

        :raises TimeoutError: one was not.
        """
        goals = {charger.identity: charger.answers + messages for charger in self.chargers}
        async with asyncio.timeout(timeout_s):
            while any(charger.answers < goals[charger.identity] for charger in self.chargers):
                for task in self._tasks:
                    if task.done():
                        task.result()
                await asyncio.sleep(0.02)

    def outcome(self, query: Query) -> Outcome:
        """Compare every row with what was acknowledged, station by station."""
        acked: Counter[str] = Counter()
        for charger in self.chargers:
            acked += charger.answered
        differences = [row for charger in self.chargers for row in self._differences(query, charger.identity)]
        return Outcome(acked, *query(_COUNTS)[0], differences)

    def _differences(self, query: Query, identity: str) -> Iterator[str]:
        sessions = [self._session(identity, number) for number in range(len(self.transaction_ids[identity]))]
        for session, transaction_id in zip(sessions, self.transaction_ids[identity], strict=True):
            session.transaction_id = transaction_id
        sides = ((TRANSACTIONS, expected_transactions(sessions)), (SAMPLES, expected_samples(sessions)))
        for sql, expected in sides:
            stored: Counter[tuple[Any, ...]] = Counter(query(f"{sql} WHERE s.identity = %s", (identity,)))
            yield from (f"missing: {row}" for row in (expected - stored).elements())
            yield from (f"too much: {row}" for row in (stored - expected).elements())

    def _session(self, identity: str, number: int) -> Session:
        """A minute each, without an end: registers only rise, and a year ago is early enough for half a million."""
        started_at = self.began_at + timedelta(minutes=number)
        meter_start = 1000 * number
        return Session(
            identity=identity,
            connector_id=1,
            id_tag="TAG",
            meter_start=meter_start,
            started_at=started_at,
            meter_stop=meter_start + 900,
            stopped_at=started_at + timedelta(seconds=55),
            samples=[
                (started_at + timedelta(seconds=10 * (index + 1)), meter_start + 200 * (index + 1))
                for index in range(SAMPLES_PER_SESSION)
            ],
        )
