"""What one invocation measures: a section of the results each."""

import json
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

from bench.cells import Measurement, measure, merged, warm_up
from bench.chargers import Chargers
from bench.goals import cell
from bench.messages import WORKLOADS
from bench.site import Site
from bench.storage import run_beside
from bench.systems import NotAvailable, System, echo, obvious, ours

Make = Callable[[], System]

OBVIOUS_MAX = 500
"""The obvious stack is not asked to carry more stations: they would wait for minutes."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def goal_systems(site: Site) -> dict[str, tuple[Make, tuple[str, ...]]]:
    """The systems of the goals, and the workloads each is loaded with."""
    every = ("MeterValues", "Start+Stop", "StatusNotification", "Heartbeat")
    ceiling = ("MeterValues", "StatusNotification", "Heartbeat")
    return {
        "raw echo, gateway": (lambda: echo("gateway"), ceiling),
        "raw echo, daphne": (lambda: echo("daphne"), ceiling),
        "raw echo, uvicorn": (lambda: echo("uvicorn"), ("MeterValues",)),
        "validating echo, gateway": (lambda: echo("gateway", validating=True), ("MeterValues",)),
        "obvious, daphne": (lambda: obvious(site), (*every, "mix")),
        "ours, daphne": (lambda: ours(site), tuple(WORKLOADS)),
        "ours, daphne, 2 processes": (lambda: ours(site, processes=2), ("MeterValues", "Start+Stop", "mix")),
        "ours, uvicorn": (lambda: ours(site, server="uvicorn"), ("MeterValues", "Start+Stop", "mix")),
    }


def full_systems(site: Site) -> dict[str, tuple[Make, tuple[str, ...]]]:
    """Everything with every workload."""
    found = {name: (make, tuple(WORKLOADS)) for name, (make, _) in goal_systems(site).items()}
    if site.timescale_url:
        found["ours, daphne, timescale"] = (lambda: ours(site, on_timescale=True), tuple(WORKLOADS))
    return found


def cells(
    systems: dict[str, tuple[Make, tuple[str, ...]]],
    *,
    stations: int,
    seconds: float,
    rounds: int,
    missing: dict[str, str],
) -> list[dict[str, Any]]:
    """Measure systems under their workloads, round by round, so that the machine's moods reach all of them.

    :param missing: gets the systems that cannot be measured here, and why.
    """
    measurements: list[Measurement] = []
    with ExitStack() as stack:
        running: dict[str, tuple[System, Chargers]] = {}
        for name, (make, _) in systems.items():
            if stations > OBVIOUS_MAX and name.startswith("obvious"):
                continue
            try:
                system = stack.enter_context(make())
            except NotAvailable as error:
                missing[name] = str(error)
                say(f"{name}: not available: {error}")
                continue
            chargers = stack.enter_context(Chargers(system.port, stations=stations, prefix="CELL"))
            system.import_id_tags(chargers.identities)
            chargers.open()
            running[name] = (system, chargers)
        for workload in WORKLOADS:
            loaded = [each for name, each in running.items() if workload in systems[name][1]]
            for system, chargers in loaded:
                warm_up(system, chargers, workload)
            for number in range(rounds):
                for system, chargers in loaded:
                    found = measure(system, chargers, workload, seconds=seconds)
                    measurements.append(found)
                    _say_cell(found, number, rounds)
            for system, _ in loaded:
                system.settle()
    return merged(measurements)


def _say_cell(found: Measurement, number: int, rounds: int) -> None:
    cpu = " ".join(f"{part} {used:.3f}" for part, used in found.cpu_ms.items())
    say(
        f"{found.workload:30} {number + 1}/{rounds} {found.stations:5} × {found.system:28} "
        f"{found.run.per_second:9,.0f}/s p99 {found.run.latency.p99:8.2f} ms  CPU ms: {cpu} {'; '.join(found.faults)}"
    )


def half_peak(site: Site, found: Iterable[dict[str, Any]], *, seconds: float) -> dict[str, Any] | None:
    """Measure the latency of MeterValues in an open loop, at half of the rate that the closed loop came to."""
    peak = cell({"cells": list(found)}, "ours, daphne", "MeterValues")
    if peak is None:
        return None
    rate = peak["per_second"] / 2
    with ours(site) as system, Chargers(system.port, stations=50, prefix="HALF") as chargers:
        chargers.open()
        warm_up(system, chargers, "MeterValues")
        measured = measure(system, chargers, "MeterValues", seconds=seconds, rate=rate)
    say(f"half the peak, {rate:,.0f}/s: {measured.run.latency}")
    return {
        "system": system.name,
        "rate": rate,
        "latency_ms": vars(measured.run.latency),
        "faults": measured.faults,
    }


def stages(site: Site) -> dict[str, Any]:
    """Run bench.stages beside a database of its own."""
    system = ours(site)
    run_beside(system, "manage", "migrate")
    system.import_stations(["STAGES"])
    system.import_id_tags(["STAGES"])
    found: dict[str, Any] = json.loads(run_beside(system, "bench.stages", "STAGES"))
    say(json.dumps(found))
    return found
