"""One connection of a simulated station: CALLs that it makes, and the commands that it answers."""

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

from ocpp.exceptions import OCPPError
from ocpp.messages import unpack
from ocpp.v16 import ChargePoint as OcppChargePoint
from ocpp.v16 import call
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from evcharging.simulator.commands import Commands
from evcharging.simulator.hardware import VENDOR
from evcharging.simulator.outcomes import NotAccepted, Offline, Refused

if TYPE_CHECKING:
    from evcharging.simulator.station import Station

logger = logging.getLogger(__name__)

ANSWER_S = 30


class ChargePoint(Commands, OcppChargePoint):
    """The station's end of one open connection; the `ocpp` package frames, checks schemas and routes."""

    def __init__(self, station: "Station", connection: ClientConnection) -> None:
        super().__init__(station.identity, connection, response_timeout=ANSWER_S, logger=logger)
        self.station = station
        self.follow_ups = []
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answering = ""

    async def serve(self) -> None:
        """Receive until the connection ends."""
        try:
            async for text in self._connection:
                try:
                    unpack(text)
                except OCPPError as error:
                    self._error(f"a frame is no OCPP: {_reason(error)}")
                    continue
                await self.route_message(text)
        except ConnectionClosed:
            pass
        finally:
            if not self.gone.done():
                self.gone.set_result(None)

    async def ask(self, payload: Any) -> Any:
        """Send a CALL and return its answer.

        :raises Offline: :raises Refused:
        """
        action = type(payload).__name__
        answering = asyncio.ensure_future(self.call(payload, suppress=False))
        try:
            await asyncio.wait({answering, self.gone}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                raise Offline
            answer = answering.result()
        except ConnectionClosed:
            raise Offline from None
        except TimeoutError:
            raise Refused(f"{action} was not answered within {ANSWER_S} s") from None
        except OCPPError as error:
            raise Refused(f"{action} was answered {_reason(error)}") from None
        finally:
            answering.cancel()
        self.station.tally.sent[action] += 1
        return answer

    async def boot(self) -> None:
        """Announce the station.

        :raises NotAccepted: :raises Offline: :raises Refused:
        """
        station = self.station
        answer = await self.ask(
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
            station.configuration.put("HeartbeatInterval", str(answer.interval))

    async def close(self) -> None:
        """End the connection; the station opens the next one."""
        await self._connection.close()

    async def _handle_call(self, message: Any) -> Any:
        """Answer a command, then do what it asked for."""
        self.station.tally.commands[str(message.action)] += 1
        self._answering = str(message.action)
        self.follow_ups.clear()
        await super()._handle_call(message)
        for work in self.follow_ups:
            self.station.spawn(work())
        self.follow_ups.clear()

    async def _send(self, message: str) -> None:
        if message.startswith("[4,"):
            _, _, code, description, _ = json.loads(message)
            self._error(f"{self._answering} was answered {code} {description}".rstrip())
        await super()._send(message)

    def _error(self, what: str) -> None:
        self.station.tally.error(self.station.identity, what)


def _reason(error: OCPPError) -> str:
    """Say in one line what a CALLERROR says, or how a payload breaks its schema."""
    cause = error.details.get("cause", "") if isinstance(error.details, dict) else ""
    code = getattr(error, "code", type(error).__name__)
    return " ".join(f"{code} {cause or error.description or ''}".split())[:300]
