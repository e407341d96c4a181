"""python -m bench goals | full | cells | servers | storms | memory | commands | stages | restarts | storage | report

`goals` measures one cell for each goal (`make bench`), `full` every combination (`make bench-full`), `storage` samples
by the million (`make bench-storage`), `servers` our WebSocket server beside those of Daphne and uvicorn. The results
are printed and kept in bench/results/latest.json, by section, from which `report` makes Markdown. The exit code is 1
where rows were not as acknowledged; a missed goal is only shown.
"""

import argparse
import os
import platform
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

from bench import report
from bench.commands import commands
from bench.goals import DAPHNE, MANY, METER, TWO, all_faults
from bench.memory import memory
from bench.restarts import restarts
from bench.runs import cells, full_systems, goal_systems, half_peak, say, stages
from bench.servers import server_cells, server_memory
from bench.site import Site, timescale
from bench.storage import storage
from bench.storms import storm

Sections = Iterator[dict[str, Any]]
"""Sections of the results, kept as soon as each is there."""
GOALS_MILLIONS = 3.0
"""Samples that `goals` asks its questions of; `storage` takes as many as are asked for."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition("\n\n")[2])
    parser.add_argument("what", choices=(*_RUNS, "report"))
    parser.add_argument("--seconds", type=float, default=2.0, help="measured part of one run of a cell")
    parser.add_argument("--rounds", type=int, default=3, help="runs of a cell, of which the median counts")
    parser.add_argument("--stations", type=int, nargs="+", help="of cells, servers, storms or memory")
    parser.add_argument("--processes", type=int, default=2, help="server processes of storms")
    parser.add_argument("--millions", type=float, default=50, help="samples to store, in millions")
    parser.add_argument("--timescale", action="store_true", help="storage: on a TimescaleDB too")
    arguments = parser.parse_args()
    if arguments.what == "report":
        print(report.render(report.load()), end="")
        return 0
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    signal.signal(signal.SIGTERM, _stop)
    found: dict[str, Any] = {}
    for sections in _RUNS[arguments.what](arguments):
        found |= sections
        report.keep(sections, f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", _machine())
    kept = report.load()
    print(report.render({name: kept[name] for name in kept if name in found}))
    faults = all_faults(found)
    for fault in faults:
        say(f"FAULT {fault}")
    return 1 if faults else 0


def run_goals(arguments: argparse.Namespace) -> Sections:
    yield from run_cells(arguments)
    yield from run_stages(arguments)
    yield from run_commands(arguments)
    yield from run_memory(arguments)
    yield from run_storms(arguments)
    with Site() as site:
        yield {"storage": [storage(site, millions=GOALS_MILLIONS)]}


def run_full(arguments: argparse.Namespace) -> Sections:
    missing: dict[str, str] = {}
    found: list[dict[str, Any]] = []
    with ExitStack() as stack:
        url, why = stack.enter_context(timescale())
        if not url:
            missing["TimescaleDB"] = why
        for stations in arguments.stations or (50, 500, 5000):
            with Site(url) as site:
                found += cells(
                    full_systems(site),
                    stations=stations,
                    seconds=arguments.seconds,
                    rounds=arguments.rounds,
                    missing=missing,
                )
            yield {"cells": found, "not_available": missing}
    yield from run_stages(arguments)
    yield from run_restarts(arguments)
    yield from run_commands(arguments)
    yield {"memory": _memories([2000])}
    yield {"storms": _storms([2000, 10_000], 1) + _storms([2000, 10_000], arguments.processes)}


def run_cells(arguments: argparse.Namespace) -> Sections:
    missing: dict[str, str] = {}
    with Site() as site:
        found = cells(
            goal_systems(site),
            stations=(arguments.stations or [50])[0],
            seconds=arguments.seconds,
            rounds=arguments.rounds,
            missing=missing,
        )
        systems = goal_systems(site)
        found += cells(
            {name: (systems[name][0], (METER,)) for name in (DAPHNE, TWO)},
            stations=MANY,
            seconds=arguments.seconds,
            rounds=arguments.rounds,
            missing=missing,
        )
        yield {"cells": found, "not_available": missing}
        latency = half_peak(site, found, seconds=5 * arguments.seconds)
        if latency is not None:
            yield {"latency": latency}


def run_servers(arguments: argparse.Namespace) -> Sections:
    missing: dict[str, str] = {}
    found = server_cells(
        stations=arguments.stations or [50, 500], seconds=arguments.seconds, rounds=arguments.rounds, missing=missing
    )
    yield {"servers": found, "not_available": missing}
    yield {"server_memory": server_memory([each["system"] for each in found])}


def run_commands(arguments: argparse.Namespace) -> Sections:
    with Site() as site:
        yield {"commands": commands(site, processes=arguments.processes)}


def run_storms(arguments: argparse.Namespace) -> Sections:
    yield {"storms": _storms(arguments.stations or [2000, 10_000], arguments.processes)}


def run_memory(arguments: argparse.Namespace) -> Sections:
    yield {"memory": _memories(arguments.stations or [2000])}


def run_stages(arguments: argparse.Namespace) -> Sections:
    with Site() as site:
        yield {"stages": stages(site)}


def run_restarts(arguments: argparse.Namespace) -> Sections:
    with Site() as site:
        yield {"restarts": restarts(site)}


def run_storage(arguments: argparse.Namespace) -> Sections:
    with Site() as site:
        found = [storage(site, millions=arguments.millions)]
    yield {"storage": found}
    if arguments.timescale:
        with timescale() as (url, why):
            if not url:
                yield {"not_available": {"TimescaleDB": why}}
                return
            with Site(url) as site:
                found.append(storage(site, millions=arguments.millions, on_timescale=True))
        yield {"storage": found}


def _memories(counts: list[int]) -> list[dict[str, Any]]:
    found = []
    for stations in counts:
        with Site() as site:
            found.append(memory(site, stations=stations))
    return found


def _storms(counts: list[int], processes: int) -> list[dict[str, Any]]:
    found = []
    for stations in counts:
        with Site() as site:
            found.append(storm(site, stations=stations, processes=processes))
            say(str(found[-1]))
    return found


def _stop(number: int, frame: object) -> None:
    """Leave by all the exits, which stop what was started; a second signal must not cut that short."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(128 + number)


def _machine() -> str:
    with open("/proc/cpuinfo") as info:
        models = [line.partition(":")[2].strip() for line in info if line.startswith("model name")]
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} × {models[0] if models else platform.machine()}, {memory_gib:.0f} GiB"


_RUNS = {
    "goals": run_goals,
    "full": run_full,
    "cells": run_cells,
    "servers": run_servers,
    "commands": run_commands,
    "storms": run_storms,
    "memory": run_memory,
    "stages": run_stages,
    "restarts": run_restarts,
    "storage": run_storage,
}

if __name__ == "__main__":
    sys.exit(main())
