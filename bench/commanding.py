"""Commands as staff ask for them, to stations that are connected; runs beside the servers, in Django.

    DATABASE_URL=… REDIS_URL=… DATA_DIR=… python -m bench.commanding batch PREFIX | singly PREFIX COUNT

`batch` asks every station for its configuration in one batch, as fast as batches go; `singly` asks one station after
the other and times each from the request to the recorded answer. Both print JSON.
"""

import json
import sys
import time
from datetime import UTC, datetime
from typing import Any

import django

TIMEOUT_S = 120.0
LOOK_EVERY_S = 0.25


def batch(prefix: str) -> dict[str, Any]:
    from stations.models import Command, CommandBatch, CommandVia, Station
    from stations.operations import ReadConfiguration
    from stations.services.batches import create_batch
    from stations.types import Origin

    ids = Station.objects.filter(identity__startswith=prefix).values_list("pk", flat=True)
    began = time.monotonic()
    made = create_batch(
        station_ids=ids,
        operation=ReadConfiguration(),
        origin=Origin("bench", CommandVia.SHELL, datetime.now(UTC)),
        stations_per_second=10_000,
    )
    while time.monotonic() < began + TIMEOUT_S and CommandBatch.objects.get(pk=made.pk).ended_at is None:
        time.sleep(LOOK_EVERY_S)
    commands = list(Command.objects.filter(batch=made))
    return {
        "asked": len(ids),
        "seconds": round(time.monotonic() - began, 2),
        "answered": sum(each.status == "answered" and each.response is not None for each in commands),
        "answer_s": [each.latency_s for each in commands if each.latency_s is not None],
    }


def singly(prefix: str, count: str) -> dict[str, Any]:
    from stations.models import Command, CommandVia, Station
    from stations.operations import ClearTagCache
    from stations.selectors import wait_until_ended
    from stations.services.commands import request_command
    from stations.types import Origin

    ids = list(Station.objects.filter(identity__startswith=prefix).order_by("pk").values_list("pk", flat=True))
    asked: list[Command] = []
    for number in range(int(count)):
        command = request_command(
            station_id=ids[number * 7 % len(ids)],
            operation=ClearTagCache(),
            origin=Origin("bench", CommandVia.SHELL, datetime.now(UTC)),
        )
        asked.append(wait_until_ended(command_id=command.pk, timeout_s=TIMEOUT_S))
    took = [
        (each.answered_at - each.created_at).total_seconds()
        for each in asked
        if each.status == "answered" and each.result_status == "Accepted" and each.answered_at is not None
    ]
    return {"asked": len(asked), "answered": len(took), "took_s": took}


def main(what: str, *arguments: str) -> None:
    django.setup()
    json.dump(batch(*arguments) if what == "batch" else singly(*arguments), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
