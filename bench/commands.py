"""Commands under load: a whole fleet asked at once, and how long one command takes while others are connected."""

import json
import threading
from typing import Any

from bench.cells import faults
from bench.chargers import Chargers, latency
from bench.proc import pss_kib
from bench.site import Site
from bench.storage import run_beside
from bench.systems import System, ours

SINGLE_COMMANDS = 200
LOOK_EVERY_S = 0.5


def commands(site: Site, *, batch_of: int = 1000, idle: int = 500, processes: int = 2) -> dict[str, Any]:
    """Ask `batch_of` stations for their configuration, then one of `idle` stations after the other something small."""
    with ours(site, processes=processes) as system:
        with Chargers(system.port, stations=idle, prefix="IDLE") as stations:
            system.import_stations(stations.identities)
            stations.open()
            singly = json.loads(run_beside(system, "bench.commanding", "singly", "IDLE", str(SINGLE_COMMANDS)))
            wrong = faults(system, stations)
        with Chargers(system.port, stations=batch_of, prefix="BATCH") as stations:
            system.import_stations(stations.identities)
            stations.open()
            with Peak(system) as peak:
                batch = json.loads(run_beside(system, "bench.commanding", "batch", "BATCH"))
            wrong += faults(system, stations)
    for name, found in (("singly", singly), ("batch", batch)):
        if found["answered"] != found["asked"]:
            wrong.append(f"{name}: {found['answered']} of {found['asked']} answered")
    return {
        "system": system.name,
        "batch": {
            "asked": batch["asked"],
            "answered": batch["answered"],
            "seconds": batch["seconds"],
            "answer_ms": vars(latency(batch["answer_s"])),
            "server_mib_before": round(peak.before / 1024, 1),
            "server_mib_peak": round(peak.highest / 1024, 1),
        },
        "singly": {
            "connected": idle,
            "asked": singly["asked"],
            "answered": singly["answered"],
            "took_ms": vars(latency(singly["took_s"])),
        },
        "faults": wrong,
    }


class Peak:
    """The server processes' memory (PSS, KiB) when the block began, and the most that was seen meanwhile."""

    def __init__(self, system: System) -> None:
        self._pid = system.pids["server"]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "Peak":
        self.before = self.highest = pss_kib(self._pid)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            self.highest = max(self.highest, pss_kib(self._pid))
