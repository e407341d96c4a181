"""One cell of the table: a system under a workload, with its CPU time by part and its rows compared."""

import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from bench.chargers import Chargers, Run
from bench.proc import CpuMeter
from bench.systems import System

WARM_UP_S = 1.0
MAX_FAULTS = 5
"""Faults of one run that are shown."""


@dataclass(frozen=True)
class Measurement:
    """One run. `cpu_ms`: milliseconds of CPU for one message, by part; `faults`: why it does not count."""

    system: str
    workload: str
    stations: int
    run: Run
    cpu_ms: dict[str, float]
    faults: list[str]


def warm_up(system: System, chargers: Chargers, workload: str) -> None:
    """Bring a system into the state that it has after its first minute under a workload."""
    chargers.run(workload, seconds=WARM_UP_S)
    system.settle()


def measure(
    system: System, chargers: Chargers, workload: str, *, seconds: float, rate: float | None = None
) -> Measurement:
    """Load a system, then compare its rows with what it acknowledged."""
    meter = CpuMeter(system.pids)
    run = chargers.run(workload, seconds=seconds, rate=rate, at_edges=meter)
    cpu = {**meter.seconds(), "generator": run.generator_cpu_s}
    cpu_ms = {name: round(used * 1000 / max(run.messages, 1), 4) for name, used in cpu.items()}
    return Measurement(
        system.name, workload, chargers.stations, run, cpu_ms, faults(system, chargers, unanswered=run.unanswered)
    )


def faults(system: System, chargers: Chargers, *, unanswered: int = 0, lost_connections: bool = False) -> list[str]:
    """Return what went wrong so far: lost connections, errors, missing answers, rows that are not as acknowledged."""
    facts, counts = chargers.facts()
    found = [f"{count} × {name}" for name, count in counts.items() if not lost_connections or name[:4] == "CALL"]
    if unanswered:
        found.append(f"{unanswered} messages unanswered")
    different = system.differences(facts, chargers.prefix, lost_connections=lost_connections)
    if len(different) > MAX_FAULTS:
        different[MAX_FAULTS:] = [f"and {len(different) - MAX_FAULTS} more"]
    return found + different


def merged(measurements: Iterable[Measurement]) -> list[dict[str, Any]]:
    """Return a cell for each system and workload: medians of its rounds, and all their faults."""
    rounds: dict[tuple[str, str, int], list[Measurement]] = defaultdict(list)
    for each in measurements:
        rounds[each.system, each.workload, each.stations].append(each)
    return [
        {
            "system": system,
            "workload": workload,
            "stations": stations,
            "per_second": round(statistics.median(each.run.per_second for each in found), 1),
            "rounds": [round(each.run.per_second, 1) for each in found],
            "latency_ms": {
                name: statistics.median(asdict(each.run.latency)[name] for each in found)
                for name in ("p50", "p99", "max")
            },
            "cpu_ms": {
                part: round(statistics.median(each.cpu_ms[part] for each in found), 4) for part in found[0].cpu_ms
            },
            "faults": [fault for each in found for fault in each.faults],
        }
        for (system, workload, stations), found in rounds.items()
    ]
