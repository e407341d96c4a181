"""Stations charge at full speed while the server is killed -9 again and again; then every row is compared.

python -m bench.faults --stations 200 --seconds 600 --kills 5
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from evcharging.embedded import EmbeddedServers
from tests.live_server import LiveServer
from tests.retrying_charger import RetryingCharger, Session
from tests.stored_sessions import add_id_tag, assert_stored_exactly

SAMPLES = 3


class EmbeddedSite(LiveServer):
    """A server with embedded PostgreSQL and Valkey, as `make run` has it."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(
            data_dir=data_dir,
            env={"DATABASE_URL": "", "REDIS_URL": "", "OCPP_ENROLMENT": "open", "LOG_LEVEL": "warning"},
        )
        self.embedded = EmbeddedServers(data_dir)

    def query(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.embedded.postgres_url(), autocommit=True) as connection:
            cursor = connection.execute(sql, parameters)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []


def session_of(identity: str, number: int, since: datetime) -> Session:
    """The station's session of this number: a minute each, one after the other."""
    started_at = since + timedelta(minutes=number)
    meter_start = 1000 * number
    return Session(
        identity=identity,
        connector_id=1,
        id_tag="TAG",
        meter_start=meter_start,
        started_at=started_at,
        meter_stop=meter_start + 900,
        stopped_at=started_at + timedelta(seconds=50),
        samples=[(started_at + timedelta(seconds=10 * (n + 1)), meter_start + 250 * (n + 1)) for n in range(SAMPLES)],
    )


async def charge_until(charger: RetryingCharger, since: datetime, deadline: float) -> list[Session]:
    await charger.boot()
    sessions: list[Session] = []
    while time.monotonic() < deadline:
        sessions.append(await charger.charge(session_of(charger.identity, len(sessions), since)))
    await charger.close()
    return sessions


async def run(
    site: EmbeddedSite, stations: int, seconds: float, kills: int
) -> tuple[list[RetryingCharger], list[Session]]:
    since = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=200)
    deadline = time.monotonic() + seconds
    chargers = [RetryingCharger([site.url], f"F-{n:04d}", seed=n, answer_s=30) for n in range(stations)]
    tasks = [asyncio.create_task(charge_until(charger, since, deadline)) for charger in chargers]
    for number in range(kills):
        await asyncio.sleep(seconds / (kills + 1))
        began = time.monotonic()
        await asyncio.to_thread(site.kill)
        await asyncio.to_thread(site.start)
        print(f"kill {number + 1}: ready again after {time.monotonic() - began:.1f} s", flush=True)
    done = await asyncio.gather(*tasks)
    return chargers, [session for sessions in done for session in sessions]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stations", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--kills", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="evc-faults-") as folder:
        os.chmod(folder, 0o711)
        site = EmbeddedSite(Path(folder))
        with site:
            add_id_tag(site, "TAG")
            chargers, sessions = asyncio.run(run(site, options.stations, options.seconds, options.kills))
            assert_stored_exactly(site.query, sessions)
            rows = {
                name: site.query(f"SELECT count(*) FROM {table}")[0][0]
                for name, table in (("transactions", "transactions_transaction"), ("samples", "meter_values"))
            }
        site.embedded.stop_if_unused()
    acked: Counter[str] = Counter()
    acked["StartTransaction"] = acked["StopTransaction"] = len(sessions)
    acked["MeterValues"] = sum(session.answered_samples for session in sessions)
    print(
        f"acked {dict(acked)}; stored {rows}; {sum(c.resends for c in chargers)} resends, "
        f"{sum(c.connections for c in chargers)} connections; agree exactly"
    )
    expected = len(sessions), 2 * acked["MeterValues"]
    if (rows["transactions"], rows["samples"]) != expected:
        sys.exit(f"expected {expected}")


if __name__ == "__main__":
    main()
