"""Redis and PostgreSQL are restarted while chargers charge: what waits, what is lost (nothing may be)."""

import time
from collections.abc import Callable
from typing import Any

from bench.cells import faults
from bench.chargers import Chargers
from bench.site import Site
from bench.systems import ours

STATIONS = 50


def restarts(
    site: Site, *, stations: int = STATIONS, before_s: float = 3.0, after_s: float = 6.0
) -> list[dict[str, Any]]:
    """Restart both, one after the other, under the mix of all messages, which goes on before and after."""
    with ours(site) as system, Chargers(system.port, stations=stations, prefix="AGAIN") as chargers:
        system.import_id_tags(chargers.identities)
        chargers.open()
        chargers.run("mix", seconds=2.0)
        found = []
        for name, restart in (("Valkey", site.restart_valkey), ("PostgreSQL", site.restart_postgres)):
            found.append({"restarted": name, **_restarted(chargers, restart, before_s, after_s)})
            found[-1]["faults"] = faults(
                system, chargers, unanswered=found[-1]["unanswered"], lost_connections=bool(found[-1]["closed"])
            )
    return found


def _restarted(chargers: Chargers, restart: Callable[[], None], before_s: float, after_s: float) -> dict[str, Any]:
    _, before = chargers.facts()
    chargers.begin("mix")
    time.sleep(before_s)
    began = time.monotonic()
    restart()
    took = time.monotonic() - began
    time.sleep(after_s)
    run = chargers.finish()
    _, after = chargers.facts()
    return {
        "away_s": round(took, 2),
        "longest_gap_s": round(run.longest_gap_s, 2),
        "slowest_answer_s": round(run.latency.max / 1000, 2),
        "messages_by_second": run.timeline,
        "closed": after["closed"] - before["closed"],
        "unanswered": run.unanswered,
    }
