"""What is to be reached, as ratios within one run wherever the machine would otherwise decide."""

import math
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

Sections = dict[str, Any]
"""The sections of a result file: cells, latency, storms, restarts, memory, storage."""


class Goal(NamedTuple):
    """`value` of the sections is to be at least or at most `bound`; None where it was not measured."""

    name: str
    value: Callable[[Sections], float | None]
    at_least: float | None = None
    at_most: float | None = None
    unit: str = "×"

    def is_met(self, value: float) -> bool:
        compare, bound = (operator.ge, self.at_least) if self.at_least is not None else (operator.le, self.at_most)
        return not math.isnan(value) and compare(value, bound)  # type: ignore[arg-type]

    @property
    def bound(self) -> str:
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"


def cell(sections: Sections, system: str, workload: str, stations: int = 50) -> dict[str, Any] | None:
    found = (
        each
        for each in sections.get("cells", ())
        if (each["system"], each["workload"], each["stations"]) == (system, workload, stations)
    )
    return next(found, None)


def rate(system: str, workload: str) -> Callable[[Sections], float | None]:
    def value(sections: Sections) -> float | None:
        found = cell(sections, system, workload)
        return None if found is None else found["per_second"]

    return value


def ratio(
    above: Callable[[Sections], float | None], below: Callable[[Sections], float | None]
) -> Callable[[Sections], float | None]:
    def value(sections: Sections) -> float | None:
        a, b = above(sections), below(sections)
        return None if a is None or not b else a / b

    return value


def own_cpu(system: str, workload: str, stations: int) -> Callable[[Sections], float | None]:
    """CPU-ms of a message without the load generator's."""

    def value(sections: Sections) -> float | None:
        found = cell(sections, system, workload, stations)
        if found is None:
            return None
        return float(sum(used for part, used in found["cpu_ms"].items() if part != "generator"))

    return value


def pairs(system: str) -> Callable[[Sections], float | None]:
    def value(sections: Sections) -> float | None:
        found = rate(system, "Start+Stop")(sections)
        return None if found is None else found / 2

    return value


def at(*path: str | int) -> Callable[[Sections], float | None]:
    """Return what stands at a path of keys."""

    def value(sections: Sections) -> float | None:
        found: Any = sections
        for key in path:
            if isinstance(key, int):
                found = found[key] if isinstance(found, list) and len(found) > key else None
            else:
                found = found.get(key) if isinstance(found, dict) else None
        return found

    return value


def storm(*path: str) -> Callable[[Sections], float | None]:
    """A figure of the largest storm on two processes."""

    def value(sections: Sections) -> float | None:
        storms = [each for each in sections.get("storms", ()) if "2 processes" in each["system"]]
        return at(*path)(max(storms, key=lambda each: each["stations"])) if storms else None

    return value


def unanswered(sections: Sections) -> float | None:
    batch = at("commands", "batch")(sections)
    return None if batch is None else batch["asked"] - batch["answered"]  # type: ignore[index]


def question(name: str) -> Callable[[Sections], float | None]:
    def value(sections: Sections) -> float | None:
        stored = sections.get("storage", ())
        found = [each for each in stored[0]["questions"] if each["question"] == name] if stored else []
        return found[0]["warm_ms"] if found else None

    return value


OBVIOUS, DAPHNE, TWO, UVICORN = "obvious, daphne", "ours, daphne", "ours, daphne, 2 processes", "ours, uvicorn"
GATEWAY_ECHO, DAPHNE_ECHO, UVICORN_ECHO = "raw echo, gateway", "raw echo, daphne", "raw echo, uvicorn"
METER, PAIRS = "MeterValues", "Start+Stop"
MANY = 500
"""Stations that are enough for two processes: of 50 in lockstep each process has batches half as large."""

GOALS = [
    Goal("MeterValues / raw echo on Daphne's own server", ratio(rate(DAPHNE, METER), rate(DAPHNE_ECHO, METER)), 0.75),
    Goal("MeterValues / raw echo on the same server", ratio(rate(DAPHNE, METER), rate(GATEWAY_ECHO, METER)), 0.75),
    Goal("MeterValues / obvious", ratio(rate(DAPHNE, METER), rate(OBVIOUS, METER)), 15),
    Goal("MeterValues on uvicorn / raw echo on uvicorn", ratio(rate(UVICORN, METER), rate(UVICORN_ECHO, METER)), 0.35),
    Goal("MeterValues on uvicorn / obvious", ratio(rate(UVICORN, METER), rate(OBVIOUS, METER)), 30),
    Goal("Start+Stop pairs a second", pairs(DAPHNE), 1000, unit="/s"),
    Goal("Start+Stop / obvious", ratio(rate(DAPHNE, PAIRS), rate(OBVIOUS, PAIRS)), 5),
    *(
        Goal(f"{action} / raw echo on {name}", ratio(rate(DAPHNE, action), rate(echo, action)), 0.7)
        for action in ("Heartbeat", "StatusNotification")
        for name, echo in (("Daphne's own server", DAPHNE_ECHO), ("the same server", GATEWAY_ECHO))
    ),
    *(
        Goal(
            f"CPU of a MeterValues, {stations} stations: two processes / one",
            ratio(own_cpu(TWO, METER, stations), own_cpu(DAPHNE, METER, stations)),
            at_most=1.15,
        )
        for stations in (50, MANY)
    ),
    Goal("storm: refused", storm("all", "refused"), at_most=0, unit=""),
    Goal("storm: lost", storm("all", "lost"), at_most=0, unit=""),
    Goal("storm: all served", storm("all", "seconds"), at_most=30, unit="s"),
    Goal("storm: ack p99 of those connected before", storm("all", "calm_ack_ms", "p99"), at_most=1000, unit="ms"),
    Goal("memory of an idle connection", at("memory", 0, "idle_kib_each", "all"), at_most=25, unit="KiB"),
    Goal("batch of GetConfiguration: unanswered", unanswered, at_most=0, unit=""),
    Goal("command: request to answer, p99", at("commands", "singly", "took_ms", "p99"), at_most=250, unit="ms"),
    Goal("ack p99 at half the peak rate", at("latency", "latency_ms", "p99"), at_most=20, unit="ms"),
    Goal("station-day chart", question("station-day chart"), at_most=50, unit="ms"),
    Goal("station-month energy", question("station-month energy"), at_most=100, unit="ms"),
    Goal("bytes of a sample, plain table", at("storage", 0, "bytes_per_row", "all"), at_most=130, unit="B"),
    Goal("the same after reindex_samples", at("storage", 0, "bytes_reindexed", "all"), at_most=130, unit="B"),
]


def judged(sections: Sections) -> list[dict[str, Any]]:
    """Return every goal with its value and whether it is met; both None where it was not measured."""
    found = []
    for goal in GOALS:
        value = goal.value(sections)
        is_met = None if value is None else goal.is_met(value)
        found.append({"goal": goal.name, "bound": goal.bound, "unit": goal.unit, "value": value, "is_met": is_met})
    return found


def all_faults(sections: Sections) -> list[str]:
    """Return what makes the run fail: anything lost, doubled, refused or unanswered that should not be."""
    found = []
    for name, section in sections.items():
        for part in section if isinstance(section, list) else [section]:
            if isinstance(part, dict):
                found += [
                    f"{name}: {part.get('system', '')} {part.get('workload', '')} {fault}"
                    for fault in part.get("faults", ())
                ]
    return found
