"""Memory of one connection, everything included: server, PostgreSQL and Valkey, with N stations against with none."""

import time
from typing import Any

from bench.cells import faults
from bench.chargers import Chargers
from bench.proc import pss_kib
from bench.site import Site
from bench.systems import System, ours

WARM_UP_STATIONS = 50
SETTLE_S = 3.0


def memory(site: Site, *, stations: int, processes: int = 1, settle_s: float = SETTLE_S) -> dict[str, Any]:
    """Measure this project's server with its PostgreSQL and Valkey."""
    with ours(site, processes=processes) as system:
        system.import_stations([f"IDLE{number:05d}" for number in range(stations)])
        return memory_of(system, stations=stations, settle_s=settle_s)


def memory_of(system: System, *, stations: int, settle_s: float = SETTLE_S) -> dict[str, Any]:
    """Return KiB by part for one idle station (booted, then silent) and one that sends MeterValues now and then."""
    with Chargers(system.port, stations=WARM_UP_STATIONS, prefix="WARM") as warm:
        # Threads, database connections, prepared statements and caches are there whoever is connected.
        warm.open()
        warm.run("MeterValues", seconds=2.0, rate=200.0)
    time.sleep(settle_s)
    without = _pss(system)
    with Chargers(system.port, stations=stations, prefix="IDLE") as idle:
        served = idle.open()
        time.sleep(settle_s)
        with_idle = _pss(system)
        run = idle.run("MeterValues", seconds=max(1.0, 2 * stations / 500), rate=500.0)
        time.sleep(settle_s)
        with_active = _pss(system)
        wrong = faults(system, idle, unanswered=run.unanswered)
    if len(served) != stations:
        wrong.append(f"{stations - len(served)} stations were not served")
    return {
        "system": system.name,
        "stations": stations,
        "none_kib": without,
        "idle_kib_each": _each(with_idle, without, stations),
        "active_kib_each": _each(with_active, without, stations),
        "faults": wrong,
    }


def _pss(system: System) -> dict[str, int]:
    return {name: pss_kib(pid) for name, pid in system.pids.items()}


def _each(after: dict[str, int], before: dict[str, int], stations: int) -> dict[str, float]:
    by_part = {name: round((after[name] - before[name]) / stations, 2) for name in after}
    return {**by_part, "all": round(sum(by_part.values()), 2)}
