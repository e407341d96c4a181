"""Our WebSocket server beside Daphne's and uvicorn's: the same echo application under the same load, alternately."""

import math
import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from typing import Any

from bench.cells import Measurement, measure, warm_up
from bench.chargers import Chargers
from bench.memory import SETTLE_S, memory_of
from bench.runs import say
from bench.systems import System, echo

SERVERS = {
    "gateway": "ours",
    "daphne": "Daphne",
    "daphne-uvloop": "Daphne on uvloop",
    "uvicorn-websockets-sansio": "uvicorn, websockets-sansio",
    "uvicorn-websockets": "uvicorn, websockets",
    "uvicorn-wsproto": "uvicorn, wsproto",
}
"""Server programs of `bench.apps.echo` and their titles. Every one is compared with ours, the first."""
WORKLOAD = "MeterValues"
IDLE_CONNECTIONS = 2000


def server_cells(
    *, stations: Sequence[int], seconds: float, rounds: int, missing: dict[str, str]
) -> list[dict[str, Any]]:
    """Measure every server with each number of connections, all of them in every round.

    A round begins with another server than the one before, so that what changes on the machine during a round meets
    all of them alike. Ratios are of one round; their median is what counts.

    :param missing: gets the servers that cannot be measured here, and why.
    """
    if find_spec("wsproto") is None:
        missing[SERVERS["uvicorn-wsproto"]] = "wsproto is not installed"
    names = [name for name, title in SERVERS.items() if title not in missing]
    found = []
    for count in stations:
        with ExitStack() as stack:
            running: dict[str, tuple[System, Chargers]] = {}
            for name in names:
                system = stack.enter_context(echo(name))
                chargers = stack.enter_context(Chargers(system.port, stations=count, prefix="SERVER"))
                chargers.open()
                warm_up(system, chargers, WORKLOAD)
                running[name] = (system, chargers)
            measured: dict[str, list[Measurement]] = {name: [] for name in names}
            for number in range(rounds):
                for name in _rotated(names, number):
                    measured[name].append(measure(*running[name], WORKLOAD, seconds=seconds))
                say(
                    f"{count} connections, round {number + 1} of {rounds}: " + ", ".join(map(_short, measured.items()))
                )
        found += [_row(name, count, measured[name], measured[names[0]]) for name in names]
    return found


def server_memory(
    names: Sequence[str], *, stations: int = IDLE_CONNECTIONS, settle_s: float = SETTLE_S
) -> list[dict[str, Any]]:
    """Measure the memory of one connection of each server: idle, and after it has carried messages."""
    found = []
    for name in dict.fromkeys(names):
        with echo(name) as system:
            memory = memory_of(system, stations=stations, settle_s=settle_s)
        found.append(
            {
                "system": name,
                "server": SERVERS[name],
                "stations": stations,
                "idle_kib": memory["idle_kib_each"]["server"],
                "active_kib": memory["active_kib_each"]["server"],
                "faults": memory["faults"],
            }
        )
        say(f"{SERVERS[name]}: {found[-1]['idle_kib']} KiB for an idle connection")
    return found


def _rotated(names: list[str], number: int) -> list[str]:
    first = number % len(names)
    return names[first:] + names[:first]


def _row(name: str, stations: int, own: list[Measurement], ours: list[Measurement]) -> dict[str, Any]:
    pairs = list(zip(own, ours, strict=True))
    return {
        "system": name,
        "server": SERVERS[name],
        "stations": stations,
        "per_second": round(statistics.median(each.run.per_second for each in own), 1),
        "rounds": [round(each.run.per_second, 1) for each in own],
        "p99_ms": statistics.median(each.run.latency.p99 for each in own),
        "cpu_us": round(statistics.median(map(_cpu_us, own)), 2),
        "rate_ratio": round(statistics.median(us.run.per_second / it.run.per_second for it, us in pairs), 3),
        "cpu_ratio": round(statistics.median(_cpu_us(it) / (_cpu_us(us) or math.nan) for it, us in pairs), 3),
        "faults": [fault for each in own for fault in each.faults],
    }


def _cpu_us(measurement: Measurement) -> float:
    return 1000 * measurement.cpu_ms["server"]


def _short(item: tuple[str, list[Measurement]]) -> str:
    name, measurements = item
    return f"{SERVERS[name]} {measurements[-1].run.per_second:,.0f}/s {_cpu_us(measurements[-1]):.1f} µs"
