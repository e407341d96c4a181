"""Evidence of one transaction's energy in few words: times are seconds from NOW."""

from datetime import UTC, datetime, timedelta
from typing import Any

from transactions.energy.evidence import BEGIN, END, POWER, Evidence, Sample

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def sample(seconds: float, value: Any, **words: Any) -> Sample:
    return Sample(at(seconds), value, **words)


def begin(seconds: float, value: Any, **words: Any) -> Sample:
    return sample(seconds, value, context=BEGIN, **words)


def end(seconds: float, value: Any, **words: Any) -> Sample:
    return sample(seconds, value, context=END, **words)


def watts(seconds: float, value: Any, **words: Any) -> Sample:
    return sample(seconds, value, measurand=POWER, unit="W", **words)


def evidence(
    start: Any, *samples: Sample, begun: float = -60, ended: float | None = None, stop: Any = None, **others: Any
) -> Evidence:
    """Return evidence from a start's register on; it ends now where there is a stop and no other end."""
    if ended is None and stop is not None:
        ended = 0
    stopped_at = None if ended is None else at(ended)
    return Evidence(at(begun), start, samples, stopped_at, stop, **others)
