"""Counters of deviations and refused connections, kept in the process and written every second.

A charger that breaks the specification in every message, or is refused all day, costs one UPDATE per second.
"""

from datetime import datetime
from typing import TypeVar

from evcharging.gateway.database.sessions import DatabaseAway
from evcharging.gateway.database.thread_pool import in_thread
from evcharging.gateway.ocppj.deviations import Applied
from stations.models import RefusalReason
from stations.services.connection import ConnectedStation
from stations.services.refusals import RefusalCount, RefusalKey, record_refusals
from stations.services.reports import DeviationCount, DeviationKey, record_deviations

Key = TypeVar("Key")
Count = TypeVar("Count", DeviationCount, RefusalCount)

MAX_KEYS = 10_000
"""Distinct deviations, and distinct refusals, counted between two flushes; further ones are dropped."""


class Counters:
    """Counts since the last flush."""

    def __init__(self) -> None:
        self._deviations: dict[DeviationKey, DeviationCount] = {}
        self._refusals: dict[RefusalKey, RefusalCount] = {}

    def count_deviation(self, station: ConnectedStation, action: str, applied: Applied, now: datetime) -> None:
        """Count one deviation that a rule of `normalise` repaired or noted."""
        key = DeviationKey(
            station.station_id, station.firmware_version, action[:60], applied.field[:200], applied.rule[:60]
        )
        sample = applied.sample.replace("\x00", "␀")[:200]
        known = self._deviations.get(key)
        if known is not None:
            self._deviations[key] = DeviationCount(known.times + 1, sample, known.first_seen_at, now)
        elif len(self._deviations) < MAX_KEYS:
            self._deviations[key] = DeviationCount(1, sample, now, now)

    def count_refusal(
        self, identity: str, reason: RefusalReason, remote_address: str, detail: str, now: datetime
    ) -> None:
        """Count one refused connection."""
        key = RefusalKey(identity.replace("\x00", "␀")[:255], reason.value)
        known = self._refusals.get(key)
        if known is not None:
            self._refusals[key] = RefusalCount(known.times + 1, remote_address, detail, known.first_seen_at, now)
        elif len(self._refusals) < MAX_KEYS:
            self._refusals[key] = RefusalCount(1, remote_address[:64], detail[:200], now, now)

    async def flush(self) -> None:
        """Write the counts; while the database is unavailable they are kept for the next flush."""
        deviations, self._deviations = self._deviations, {}
        refusals, self._refusals = self._refusals, {}
        try:
            if deviations:
                await in_thread(record_deviations, counts=deviations)
                deviations = {}
            if refusals:
                await in_thread(record_refusals, counts=refusals)
                refusals = {}
        except DatabaseAway:
            self._deviations = _merged(deviations, self._deviations)
            self._refusals = _merged(refusals, self._refusals)


def _merged(old: dict[Key, Count], new: dict[Key, Count]) -> dict[Key, Count]:
    """Add two tables of counts; all but the sum and `first_seen_at` is taken from `new`."""
    merged = dict(old)
    for key, count in new.items():
        known = merged.get(key)
        if known is not None:
            count = count._replace(times=known.times + count.times, first_seen_at=known.first_seen_at)
        merged[key] = count
    return merged
