"""What samples come to, in plain Python over all of them: what every way through the database is held to."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta, tzinfo
from math import isfinite
from typing import NamedTuple

QUARTER, DAY = timedelta(minutes=15), timedelta(days=1)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class Sample(NamedTuple):
    """One stored sample of a series, and the words that say which register it is of."""

    at: datetime
    value: float | None
    connector_id: int = 1
    location: str = "Outlet"
    phase: str = ""
    context: str = "Sample.Periodic"
    unit: str = "Wh"


class Expected(NamedTuple):
    """One roll-up, its fields in the order of the model's."""

    first_at: datetime
    last_at: datetime
    total: float
    lowest: float
    highest: float
    first_value: float
    last_value: float
    samples: int


def usable(samples: list[Sample]) -> list[Sample]:
    """The distinct samples that have a number, by time and then value."""
    kept = {one for one in samples if one.value is not None and isfinite(one.value) and abs(one.value) <= 1e15}
    return sorted(kept, key=lambda one: (one.at, one.value))


def floor(at: datetime, width: timedelta) -> datetime:
    return EPOCH + (at - EPOCH) // width * width


def rollups(samples: list[Sample], width: timedelta) -> dict[tuple, Expected]:
    """Roll-ups by (series words, begin of the bucket)."""
    buckets: dict[tuple, list[Sample]] = defaultdict(list)
    for one in usable(samples):
        buckets[(one[2:], floor(one.at, width))].append(one)
    found = {}
    for key, ordered in buckets.items():
        values = [one.value for one in ordered]
        found[key] = Expected(
            ordered[0].at, ordered[-1].at, sum(values), min(values), max(values), values[0], values[-1], len(values)
        )
    return found


def energy(
    samples: list[Sample], *, since: datetime, until: datetime, begin, zone: tzinfo = UTC
) -> dict[datetime, tuple[float, bool]]:
    """Energy and whether a register fell, by bucket; `begin` gives the begin of a quarter's bucket.

    Only a quarter's first and last sample are looked at, as roll-ups know no others.
    """
    registers: dict[tuple, list[Sample]] = defaultdict(list)
    for one in usable(samples):
        if one.phase in ("", "L1", "L2", "L3"):
            registers[(one.connector_id, one.location, one.phase)].append(one)
    gains: dict[tuple, dict[datetime, list]] = {}
    counts: dict[tuple, int] = {}
    for key, ordered in registers.items():
        quarters: dict[datetime, list[Sample]] = defaultdict(list)
        for one in ordered:
            if since <= one.at < until:
                quarters[floor(one.at, QUARTER)].append(one)
        earlier = [one for one in ordered if one.at < since]
        last = earlier[-1].value if earlier else None
        for quarter in sorted(quarters):
            inside = quarters[quarter]
            first_value, last_value = inside[0].value, inside[-1].value
            begun = first_value if last is None else last
            entry = gains.setdefault(key, {}).setdefault(begin(quarter), [0.0, False])
            entry[0] += max(first_value - begun, 0) + max(last_value - first_value, 0)
            entry[1] = entry[1] or first_value < begun or last_value < first_value
            counts[key] = counts.get(key, 0) + len(inside)
            last = last_value
    return _chosen(gains, counts)


def _chosen(gains: dict, counts: dict) -> dict[datetime, tuple[float, bool]]:
    connectors = {connector_id for connector_id, _, _ in gains}
    if connectors != {0}:
        connectors.discard(0)
    total: dict[datetime, tuple[float, bool]] = {}
    for connector_id in connectors:
        locations = {location for connector, location, _ in gains if connector == connector_id}

        def weight(location: str, connector_id: int = connector_id) -> tuple:
            of_it = sum(count for key, count in counts.items() if key[:2] == (connector_id, location))
            return (location == "Outlet", of_it, location)

        location = max(locations, key=weight)
        phases = {phase for connector, place, phase in gains if (connector, place) == (connector_id, location)}
        for phase in {""} if "" in phases else phases:
            for at, (wh, fell) in gains[connector_id, location, phase].items():
                before = total.get(at, (0.0, False))
                total[at] = (before[0] + wh, before[1] or fell)
    return total
