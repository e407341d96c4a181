"""One open connection of a simulated station: sends its CALLs and answers commands."""

import asyncio
import json
import logging
from typing import Any

from ocpp.exceptions import OCPPError
from ocpp.messages import unpack
from ocpp.v16 import ChargePoint as OcppChargePoint
from ocpp.v16 import call
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from evcharging.simulator.commands.handlers import FollowUp
from evcharging.simulator.commands.route_map import route_map
from evcharging.simulator.connection import CallFailed, NotAccepted, Offline
from evcharging.simulator.hardware import VENDOR
from evcharging.simulator.station import Station

logger = logging.getLogger(__name__)

RESPONSE_TIMEOUT_S = 30


class ChargePoint(OcppChargePoint):
    """A `connection.Connection`; the `ocpp` package builds frames, validates schemas and routes to the handlers."""

    def __init__(self, station: Station, websocket: ClientConnection) -> None:
        super().__init__(station.identity, websocket, response_timeout=RESPONSE_TIMEOUT_S, logger=logger)
        self.station = station
        self._follow_ups: list[FollowUp] = []
        self.route_map = route_map(station, self, self._follow_ups.append)
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._current_command = ""

    async def serve(self) -> None:
        """Receive frames until the connection closes."""
        try:
            async for text in self._connection:
                try:
                    unpack(text)
                except OCPPError as error:
                    self.station.record_error(f"invalid OCPP frame: {_describe(error)}")
                    continue
                await self.route_message(text)
        except ConnectionClosed:
            pass
        finally:
            if not self._closed.done():
                self._closed.set_result(None)

    async def send_call(self, payload: Any) -> Any:
        """Send a CALL and return the payload of its CALLRESULT.

        :raises Offline: :raises CallFailed:
        """
        action = type(payload).__name__
        answering = asyncio.ensure_future(self.call(payload, suppress=False))
        try:
            # The package waits for its time-out even when the socket has closed.
            await asyncio.wait({answering, self._closed}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                raise Offline
            answer = answering.result()
        except ConnectionClosed:
            raise Offline from None
        except TimeoutError:
            raise CallFailed(f"{action} was not answered within {RESPONSE_TIMEOUT_S} s") from None
        except OCPPError as error:
            raise CallFailed(f"{action} was answered {_describe(error)}") from None
        finally:
            answering.cancel()
        self.station.statistics.answered_calls[action] += 1
        return answer

    async def boot(self) -> None:
        """Send a BootNotification and apply its answer to the station.

        :raises NotAccepted: :raises Offline: :raises CallFailed:
        """
        station = self.station
        answer = await self.send_call(
            call.BootNotification(
                charge_point_model=station.hardware.model,
                charge_point_vendor=VENDOR,
                charge_point_serial_number=station.identity,
                firmware_version=station.firmware_version,
                meter_type="Three-phase" if not station.hardware.is_dc else "Direct current",
                meter_serial_number=f"M-{station.identity}",
            )
        )
        station.is_accepted = answer.status == "Accepted"
        if not station.is_accepted:
            raise NotAccepted(answer.status, max(answer.interval, 1))
        if answer.interval > 0:
            station.configuration.set("HeartbeatInterval", str(answer.interval))

    async def close(self) -> None:
        """Close the WebSocket; the station opens the next one."""
        await self._connection.close()

    async def _handle_call(self, message: Any) -> Any:
        """Answer a command, then start its follow-ups."""
        self.station.statistics.commands[str(message.action)] += 1
        self._current_command = str(message.action)
        self._follow_ups.clear()
        await super()._handle_call(message)
        for follow_up in self._follow_ups:
            self.station.spawn(follow_up())
        self._follow_ups.clear()

    async def _send(self, message: str) -> None:
        if message.startswith("[4,"):
            _, _, code, description, _ = json.loads(message)
            self.station.record_error(f"{self._current_command} was answered {code} {description}".rstrip())
        await super()._send(message)


def _describe(error: OCPPError) -> str:
    """Return in one line what a CALLERROR says, or how a payload violates its schema."""
    cause = error.details.get("cause", "") if isinstance(error.details, dict) else ""
    code = getattr(error, "code", type(error).__name__)
    return " ".join(f"{code} {cause or error.description or ''}".split())[:300]
