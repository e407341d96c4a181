"""Stations charge at full speed while the server is killed again and again; then every row is compared.

    python -m tests.faults.run --stations 200 --seconds 600 --kills 5

The exit code is 1 unless acknowledged messages and rows agree exactly.
"""

import argparse
import asyncio
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.fleet import Fleet, Outcome
from tests.support.whole_system import WholeSystem


async def run(
    system: WholeSystem, *, stations: int, seconds: float, kills: int, say: Callable[[str], None] = print
) -> Outcome:
    """Charge for so many seconds, with the server killed -9 and started again at even intervals."""
    began = time.monotonic()
    async with Fleet([system.url], stations) as fleet:
        await fleet.progress(1)
        for number in range(1, kills + 1):
            await _sleep_until(began + seconds * number / (kills + 1))
            killed = time.monotonic()
            await asyncio.to_thread(system.restart)
            say(f"kill {number} at {killed - began:.0f} s; ready again after {time.monotonic() - killed:.1f} s")
            await fleet.progress(1)
        await _sleep_until(began + seconds)
    took_s = time.monotonic() - began
    answers = sum(charger.answers for charger in fleet.chargers)
    resends = sum(charger.resends for charger in fleet.chargers)
    connections = sum(charger.connections for charger in fleet.chargers)
    say(f"{stations} stations, {took_s:.0f} s, {answers / took_s:.0f} messages/s")
    say(f"sent again {resends}, connections {connections}; now every row is compared")
    return await asyncio.to_thread(fleet.outcome, system.query)


async def _sleep_until(instant: float) -> None:
    await asyncio.sleep(max(instant - time.monotonic(), 0))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.run", description=__doc__.partition("\n\n")[0])
    parser.add_argument("--stations", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--kills", type=int, default=5)
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    folder = Path(tempfile.mkdtemp(prefix="evc-"))
    folder.chmod(0o711)
    system = WholeSystem(folder, LOG_LEVEL="warning")
    try:
        system.start_with()
        outcome = asyncio.run(
            run(system, stations=arguments.stations, seconds=arguments.seconds, kills=arguments.kills)
        )
        errors = [event["message"] for event in system.events() if event["level"] == "ERROR"]
    finally:
        system.clean_up()
        shutil.rmtree(folder, ignore_errors=True)
    print(outcome)
    print("\n".join(outcome.differences[:20]))
    print(f"{'errors in the log':18}{'':10}{len(errors):10}", *errors[:5], sep="\n")
    print("agree exactly" if outcome.is_exact else "DO NOT AGREE")
    return 0 if outcome.is_exact else 1


if __name__ == "__main__":
    sys.exit(main())
