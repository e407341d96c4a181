"""CPU time of one message by stage, inside one process and by itself: what a change costs before it is served.

    DATABASE_URL=… REDIS_URL=… DATA_DIR=… python -m bench.stages STATION_IDENTITY

Prints JSON: Action → stage → microseconds of CPU (medians of several repeats; `statements` is a number of statements).
The station is its own accepted tag. What the socket costs is what the raw echo costs: a cell of the table.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import django

from bench.messages import Charger, Clock, Request, Script

REPEATS = 5
BATCH = 50
"""Messages in one transaction of the lane, as 50 chargers make it."""

Stages = dict[str, float]


def micros(function: Callable[[], object], *, times: int, clock: Callable[[], float] = time.thread_time) -> float:
    """Return the median CPU time of one call, in microseconds."""
    found = []
    for _ in range(REPEATS):
        began = clock()
        for _ in range(times):
            function()
        found.append((clock() - began) / times * 1e6)
    return round(statistics.median(found), 2)


def text_of(request: Request) -> str:
    action, payload = (part.decode() for part in request)
    return f'[2,"00000001","{action}",{payload}]'


def _texts(script: Script) -> Iterator[str]:
    request = next(script)
    while True:
        yield text_of(request)
        request = script.send(b"")


def reading_stages(action: str, text: str, translated: Callable[[dict[str, Any]], object], answer: Any) -> Stages:
    """The stages that need no database."""
    from evcharging import ocpp16_schemas as schemas
    from evcharging.gateway.ocpp16.receive import receive
    from evcharging.gateway.ocppj import frames
    from evcharging.gateway.ocppj.normalise import Quirks

    call = frames.parse(text)
    assert isinstance(call, frames.Call)
    quirks = Quirks()
    result = receive(action, call.payload, quirks)
    assert result.error is None, result
    assert not result.deviations, result
    return {
        "JSON": micros(lambda: frames.parse(text), times=2000),
        "validation": micros(lambda: receive(action, call.payload, quirks), times=2000),
        "translation": micros(lambda: translated(call.payload), times=2000),
        "answer": micros(
            lambda: (schemas.response_error(action, answer), frames.call_result("00000001", answer)), times=2000
        ),
    }


def meter_values(station: Any, charger: Charger) -> Stages:
    from evcharging.gateway.ocpp16 import translate
    from meter.services.readings import MeterMessage, record_readings
    from stations.types import Received

    def translated(payload: dict[str, Any]) -> Any:
        return translate.readings(payload, original=payload, zone=UTC, deviations=[])

    def messages(texts: Sequence[str]) -> list[MeterMessage]:
        received = Received(station.station_id, station.epoch, datetime.now(UTC), None)
        read = (translated(json.loads(text)[3]) for text in texts)
        return [
            MeterMessage(received, connector_id, transaction_id, ref, readings)
            for connector_id, transaction_id, ref, readings in read
        ]

    def script() -> Script:
        while True:
            yield from charger.meter()

    texts = _texts(script())
    stages = reading_stages("MeterValues", next(texts), translated, {})
    batches = iter([messages([next(texts) for _ in range(BATCH)]) for _ in range(REPEATS * 10 + 10)])
    for _ in range(10):
        record_readings(messages=next(batches))
    stages["lane and handler"] = lane_and_handler(station, next(texts)) - sum(stages.values())
    stages["database client"] = micros(lambda: record_readings(messages=next(batches)), times=10) / BATCH
    return {name: round(value, 2) for name, value in stages.items()}


def lane_and_handler(station: Any, text: str) -> float:
    """CPU of a message from its text to the text of its answer, stored by nobody."""
    from evcharging.gateway.charge_point import ChargePoint
    from evcharging.gateway.connection import Connection
    from evcharging.gateway.database.group_commit import Lane
    from evcharging.gateway.dialects import connection_dialect
    from evcharging.gateway.process import GatewayProcess

    async def nothing(_: Any) -> None:
        return None

    async def serve() -> None:
        process = GatewayProcess()
        process.lanes.meter_values = Lane(lambda messages: [True] * len(messages))
        points = [
            ChargePoint(
                Connection(station, send=nothing, close=nothing, transport=None),
                dialect=connection_dialect(""),
                lanes=process.lanes,
                answers=process.answers,
                counters=process.counters,
            )
            for _ in range(BATCH)
        ]

        async def charge(point: ChargePoint) -> None:
            for _ in range(20):
                assert await point.on_text(text) == '[3,"00000001",{}]'

        await asyncio.gather(*(charge(point) for point in points))
        await process.redis.close()

    return micros(lambda: asyncio.run(serve()), times=1, clock=time.process_time) / BATCH / 20


def start_and_stop(station: Any, charger: Charger) -> dict[str, Stages]:
    from django.db import connection

    from evcharging.gateway.ocpp16 import translate
    from stations.types import Received
    from transactions.services.start import start_transaction
    from transactions.services.stop import stop_transaction

    identity = charger.identity.decode()
    begun, number = datetime.now(UTC) - timedelta(minutes=15), 0

    def start() -> Any:
        nonlocal number
        number += 1
        at = begun + timedelta(milliseconds=number)
        payload = {"connectorId": 1, "idTag": identity, "meterStart": number, "timestamp": at.isoformat()}
        return start_transaction(
            received=Received(station.station_id, station.epoch, datetime.now(UTC), None),
            report=translate.start(payload, original=payload, zone=UTC, deviations=[]),
        )

    def stop(transaction_id: int) -> Any:
        nonlocal number
        number += 1
        at = begun + timedelta(milliseconds=number)
        payload = {
            "transactionId": transaction_id,
            "idTag": identity,
            "meterStop": number,
            "timestamp": at.isoformat(),
            "reason": "Local",
        }
        return stop_transaction(
            received=Received(station.station_id, station.epoch, datetime.now(UTC), None),
            report=translate.stop(payload, original=payload, zone=UTC, deviations=[]),
            payload=payload,
        )

    payloads = {
        "StartTransaction": json.loads(text_of(next(charger.start())))[3],
        "StopTransaction": json.loads(text_of(next(charger.stop(1))))[3],
    }
    answers = {"StartTransaction": {"transactionId": 1, "idTagInfo": {"status": "Accepted"}}, "StopTransaction": {}}
    translations = {"StartTransaction": translate.start, "StopTransaction": translate.stop}
    found = {}
    for action, payload in payloads.items():
        translated = translations[action]
        found[action] = reading_stages(
            action,
            json.dumps([2, "00000001", action, payload], separators=(",", ":")),
            lambda payload, translated=translated: translated(payload, original=payload, zone=UTC, deviations=[]),  # type: ignore[misc]
            answers[action],
        )
    used: dict[str, list[float]] = {"StartTransaction": [], "StopTransaction": []}
    statements: dict[str, list[str]] = {"StartTransaction": [], "StopTransaction": []}
    for index in range(60):
        transaction_id = 0
        for action in used:
            began = time.thread_time()
            counted = index == 59
            with connection.execute_wrapper(_collect(statements[action] if counted else [])):
                transaction_id = start().transaction_id if action == "StartTransaction" else stop(transaction_id) and 0
            if index >= 10 and not counted:
                used[action].append((time.thread_time() - began) * 1e6)
    batched = fast_paths(station)
    for action, stages in found.items():
        stages["database client"] = batched[action]
        stages["database client, one by one"] = round(statistics.median(used[action]), 2)
        stages["statements, one by one"] = len(statements[action])
    return found


def fast_paths(station: Any) -> dict[str, float]:
    """CPU of a start and of a stop on the fast path, each of a batch of connectors and tags of their own."""
    from connectors.models import Connector
    from evcharging.gateway.ocpp16 import translate
    from id_tags.models import IdTag, fold_id_tag
    from stations.types import Received
    from transactions.services.batched_starts import record_starts
    from transactions.services.batched_stops import record_stops
    from transactions.types import StartMessage, StopMessage

    numbers = range(101, 101 + BATCH)
    tags = [f"STAGES-{number}" for number in numbers]
    Connector.objects.bulk_create(Connector(station_id=station.station_id, connector_id=number) for number in numbers)
    IdTag.objects.bulk_create(IdTag(id_tag=tag, id_tag_folded=fold_id_tag(tag)) for tag in tags)
    used: dict[str, list[float]] = {"StartTransaction": [], "StopTransaction": []}
    for number in range(REPEATS * 5):
        now = datetime.now(UTC)
        received = Received(station.station_id, station.epoch, now, None)
        at = (now - timedelta(hours=1) + timedelta(seconds=number)).isoformat()
        starts = [
            {"connectorId": connector_id, "idTag": tag, "meterStart": number, "timestamp": at}
            for connector_id, tag in zip(numbers, tags, strict=True)
        ]
        begins = [
            StartMessage(received, translate.start(payload, original=payload, zone=UTC, deviations=[]))
            for payload in starts
        ]
        began = time.thread_time()
        answers = record_starts(messages=begins)
        used["StartTransaction"].append((time.thread_time() - began) * 1e6 / BATCH)
        ids = [answer.transaction_id for answer in answers if answer is not None]
        assert len(ids) == BATCH
        stops: list[dict[str, Any]] = [
            {"transactionId": each, "idTag": tag, "meterStop": number, "timestamp": at, "reason": "Local"}
            for each, tag in zip(ids, tags, strict=True)
        ]
        ends = [
            StopMessage(received, translate.stop(payload, original=payload, zone=UTC, deviations=[]), payload)
            for payload in stops
        ]
        began = time.thread_time()
        assert None not in record_stops(messages=ends)
        used["StopTransaction"].append((time.thread_time() - began) * 1e6 / BATCH)
    return {action: round(statistics.median(values[REPEATS:]), 2) for action, values in used.items()}


def _collect(into: list[str]) -> Callable[..., Any]:
    def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        into.append(sql)
        return execute(sql, params, many, context)

    return wrapper


def main(identity: str) -> None:
    django.setup()
    from stations.services.connection import connect_station

    now = datetime.now(UTC)
    admission = connect_station(
        identity=identity,
        credentials=None,
        version="ocpp1.6",
        remote_address="127.0.0.1",
        gateway_channel="",
        now=now,
    )
    assert admission.station is not None, admission
    charger = Charger(identity, Clock(now.timestamp() - 900))
    found = {"MeterValues": meter_values(admission.station, charger), **start_and_stop(admission.station, charger)}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
