"""A power cut is over: the fleet connects, boots and tells its status at once, while others go on charging."""

import math
import time
from typing import Any

from bench.cells import faults
from bench.chargers import Chargers, latency
from bench.site import Site
from bench.systems import ours

CALM_STATIONS = 50
CALM_RATE = 50.0
"""MeterValues a second of the stations that were connected before."""
TIMEOUT_S = 180.0


def storm(site: Site, *, stations: int, processes: int) -> dict[str, Any]:
    """Let a fleet of known stations come at once, then half of it drop and return; reported is what happened.

    `served` counts a station once its boot and two statuses are answered. `lost` are stations that never were, and
    rows that are not as acknowledged.
    """
    with (
        ours(site, processes=processes, reads_configuration=True) as system,
        Chargers(system.port, stations=CALM_STATIONS, prefix="CALM") as calm,
        Chargers(system.port, stations=stations, prefix="STORM") as fleet,
    ):
        system.import_stations([*calm.identities, *fleet.identities])
        calm.open()
        calm.run("MeterValues", seconds=1.0, rate=CALM_RATE)
        found = {"system": system.name, "stations": stations, "all": _wave(calm, fleet, stations)}
        dropped = fleet.drop(0.5)
        time.sleep(1.0)
        found["half"] = _wave(calm, fleet, dropped)
        time.sleep(1.0)
        found["faults"] = faults(system, calm) + faults(system, fleet, lost_connections=True)
    return found


def _wave(calm: Chargers, fleet: Chargers, expected: int) -> dict[str, Any]:
    _, before = fleet.facts()
    calm.begin("MeterValues", rate=CALM_RATE)
    served = fleet.open(parallel=expected, timeout_s=TIMEOUT_S)
    run = calm.finish()
    _, after = fleet.facts()
    return {
        "expected": expected,
        "served": len(served),
        "refused": after["refused"] - before["refused"],
        "closed": after["closed"] - before["closed"],
        "lost": expected - len(served),
        "seconds": round(served[-1], 2) if len(served) == expected else math.inf,
        "served_ms": vars(latency(served)),
        "calm_ack_ms": vars(run.latency),
        "calm_unanswered": run.unanswered,
    }
