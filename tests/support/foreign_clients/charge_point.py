"""A charge point on PyPI's `ocpp`, whose own schemas check every frame of both directions.

    python charge_point.py session|offline|refused URL IDENTITY ID_TAG [PASSWORD]

Prints one JSON object with the answers; charge_point.js does the same on another library.
"""

import asyncio
import json
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from ocpp.v16 import ChargePoint, call
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

Answers = dict[str, Any]


class Client:
    """The command line's charge point."""

    def __init__(self, url: str, identity: str, id_tag: str, password: str | None) -> None:
        self.url, self.identity, self.id_tag, self.password = url, identity, id_tag, password

    @asynccontextmanager
    async def connected(self, password: str | None = None, *, breaks: bool = False) -> AsyncIterator[ChargePoint]:
        """Connect; with `breaks` the connection ends as in a power cut."""
        password = password or self.password
        headers = {}
        if password:
            headers["Authorization"] = "Basic " + b64encode(f"{self.identity}:{password}".encode()).decode()
        async with connect(
            self.url + self.identity, subprotocols=["ocpp1.6"], additional_headers=headers, proxy=None
        ) as socket:
            assert socket.subprotocol == "ocpp1.6"
            charge_point = ChargePoint(self.identity, socket, response_timeout=20)
            receiving = asyncio.create_task(charge_point.start())
            yield charge_point
            receiving.cancel()
            if breaks:
                socket.transport.abort()

    async def start(self, charge_point: ChargePoint, meter_start: int, timestamp: str) -> Any:
        return await answer(charge_point, call.StartTransaction(1, self.id_tag, meter_start, timestamp))

    async def stop(
        self, charge_point: ChargePoint, transaction_id: int, meter_stop: int, at: str, reason: str = "Local"
    ) -> Any:
        data = [{"timestamp": at, "sampled_value": sampled(meter_stop, 0, "Transaction.End")}]
        return await answer(
            charge_point, call.StopTransaction(meter_stop, at, transaction_id, reason, self.id_tag, data)
        )

    async def session(self) -> Answers:
        """A whole session while connected, and after it another connection without a boot."""
        answers: Answers = {}
        async with self.connected() as point:
            answers["boot"] = await boot(point)
            answers["status"] = [await status(point, 0, "Available"), await status(point, 1, "Preparing")]
            answers["heartbeat"] = await answer(point, call.Heartbeat())
            answers["authorize"] = await answer(point, call.Authorize(self.id_tag))
            answers["start"] = await self.start(point, 1000, ago(seconds=9))
            transaction_id = answers["start"]["transactionId"]
            await status(point, 1, "Charging")
            answers["meterValues"] = [
                await meter_values(point, transaction_id, register_wh, ago(seconds=8 - 2 * index))
                for index, register_wh in enumerate((1200, 1400, 1600))
            ]
            answers["dataTransfer"] = await answer(point, call.DataTransfer("Foreign", "Hello", '{"a":1}'))
            answers["stop"] = await self.stop(point, transaction_id, 1700, ago(seconds=1))
            await status(point, 1, "Finishing")
        async with self.connected() as point:
            answers["statusAfterReconnect"] = await status(point, 1, "Available")
            answers["heartbeatAfterReconnect"] = await answer(point, call.Heartbeat())
        return answers

    async def offline(self) -> Answers:
        """A session whose connection breaks, and one that never had any; both are reported when there is one again."""
        answers: Answers = {}
        async with self.connected(breaks=True) as point:
            answers["boot"] = await boot(point)
            answers["broken"] = await self.start(point, 1000, ago(hours=3))
            broken_id = answers["broken"]["transactionId"]
            await meter_values(point, broken_id, 2000, ago(hours=2.8))
        async with self.connected() as point:
            answers["brokenMeterValues"] = await meter_values(point, broken_id, 3000, ago(hours=2.6))
            answers["brokenStop"] = await self.stop(point, broken_id, 4000, ago(hours=2.5), "EVDisconnected")
            began = ago(hours=2)
            answers["replayed"] = await self.start(point, 4000, began)
            answers["replayedAgain"] = await self.start(point, 4000, began)
            replayed_id = answers["replayed"]["transactionId"]
            answers["replayedMeterValues"] = await meter_values(point, replayed_id, 5000, ago(hours=1.5))
            answers["replayedStop"] = await self.stop(point, replayed_id, 6000, ago(hours=1))
        return answers

    async def refused(self) -> Answers:
        """A connection that is not to be had: without a password, and with the one given."""
        answers: Answers = {}
        given, self.password = self.password, None
        for name, password in (("withoutPassword", None), ("withPassword", given)):
            try:
                async with self.connected(password):
                    answers[name] = 101
            except InvalidStatus as error:
                answers[name] = error.response.status_code
        return answers


async def answer(charge_point: ChargePoint, payload: Any) -> Any:
    """Return the payload of the CALLRESULT as it came, or raise what the CALLERROR says."""
    result = await charge_point.call(payload, suppress=False)
    return {camel(name): value for name, value in asdict(result).items() if value is not None}


def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


async def boot(charge_point: ChargePoint) -> Any:
    return await answer(
        charge_point,
        call.BootNotification("ocpp", "Foreign", charge_point_serial_number="F-1", firmware_version="2.2.1"),
    )


async def status(charge_point: ChargePoint, connector_id: int, word: str) -> Any:
    return await answer(charge_point, call.StatusNotification(connector_id, "NoError", word, ago()))


async def meter_values(charge_point: ChargePoint, transaction_id: int, register_wh: int, at: str) -> Any:
    values = [{"timestamp": at, "sampled_value": sampled(register_wh, 11_000)}]
    return await answer(charge_point, call.MeterValues(1, values, transaction_id))


def sampled(register_wh: int, power_w: int, context: str = "Sample.Periodic") -> list[dict[str, str]]:
    energy = {"measurand": "Energy.Active.Import.Register", "unit": "Wh", "location": "Outlet"}
    return [
        {"value": str(register_wh), "context": context} | energy,
        {"value": f"{power_w / 1000:.1f}", "context": context, "measurand": "Power.Active.Import", "unit": "kW"},
        {"value": "229.8", "context": context, "measurand": "Voltage", "phase": "L1-N", "unit": "V"},
    ]


def ago(**how_long: float) -> str:
    at = datetime.now(UTC) - timedelta(**how_long)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


if __name__ == "__main__":
    flow, url, identity, id_tag, *password = sys.argv[1:]
    client = Client(url, identity, id_tag, password[0] if password else None)
    print(json.dumps(asyncio.run(getattr(client, flow)())))
