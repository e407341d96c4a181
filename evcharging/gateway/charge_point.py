"""One charger's connection: what is known of it while its socket is open, and how its CALLs are answered."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

from evcharging import ocpp16_schemas as schemas
from evcharging.gateway.calls import Caller, Reply
from evcharging.gateway.database.thread_pool import DatabaseAway
from evcharging.gateway.ocpp16.handlers import HANDLERS, Answer, Handler, Message
from evcharging.gateway.ocppj import frames
from evcharging.gateway.ocppj.deviations import Applied
from evcharging.gateway.ocppj.frames import Call
from evcharging.gateway.ocppj.normalise import Quirks, receive
from evcharging.logs.masking import mask_id_tags
from stations.services.connection import ConnectedStation
from stations.timing import ClockDrift
from transactions.services.start import ConnectionSuperseded

if TYPE_CHECKING:
    from evcharging.gateway.process import GatewayProcess

logger = logging.getLogger(__name__)

TRANSACTION_ACTIONS = frozenset({"StartTransaction", "StopTransaction", "MeterValues"})
EARLY_ACTIONS = frozenset({"BootNotification"})
MAX_LOGGED_WORD, MAX_LOGGED_FRAME = 64, 1000


class Transport(Protocol):
    """The live socket under a connection, where the server offers it."""

    last_frame_at: float
    reading_paused: bool

    def ping(self) -> None: ...
    def abort(self) -> None: ...


class ChargePoint:
    """The charger's end of one open connection."""

    def __init__(
        self,
        station: ConnectedStation,
        *,
        send: Callable[[str], Awaitable[None]],
        close: Callable[[int], Awaitable[None]],
        transport: Transport | None,
        process: "GatewayProcess",
    ) -> None:
        self.station = station
        self.clock_drift = ClockDrift()
        self.send = send
        self.close = close
        self.transport = transport
        self.process = process
        self.caller = Caller(self)
        self._last_message_at = time.monotonic()
        self.flushed_frame_at = 0.0
        self._queue_is_new = False
        self.on_change: Callable[[], None] = lambda: None
        self.use(station)

    def use(self, station: ConnectedStation) -> None:
        """Take over what staff or a BootNotification changed; `on_change` is told."""
        self.station = station
        self.zone = ZoneInfo(station.time_zone)
        self.quirks = Quirks(zone=self.zone, id_tag_transform=station.id_tag_transform)
        self.on_change()

    def on_boot(self, status: str, firmware_version: str, now: datetime) -> None:
        """Take over what a BootNotification told and was answered."""
        self.use(
            replace(
                self.station,
                registration_status=status,
                was_ever_accepted=self.station.was_ever_accepted or status == "Accepted",
                firmware_version=firmware_version,
                last_boot_at=now,
            )
        )

    @property
    def is_accepted(self) -> bool:
        return self.station.registration_status == "Accepted"

    @property
    def last_frame_at(self) -> float:
        """Monotonic time of the latest sign of life, pongs included where the server shows them."""
        if self.transport is not None:
            return max(self.transport.last_frame_at, self._last_message_at)
        return self._last_message_at

    async def on_text(self, text: str) -> str | None:
        """Answer one text frame; None where nothing is to be answered.

        :raises DatabaseAway: the message could not be committed in time. :raises ConnectionSuperseded: a newer
            connection owns the station. In both cases the charger keeps its message, and the socket is closed.
        """
        self._last_message_at = began = time.monotonic()
        frame = frames.parse(text)
        if isinstance(frame, Call):
            reply = None
            try:
                reply = await self._on_call(frame, text)
            finally:
                self._log(frame, text, reply, began)
            return reply
        if isinstance(frame, frames.Malformed):
            logger.warning(
                "%s sent a broken frame: %s",
                self.station.identity,
                frame.description,
                extra={
                    "station": self.station.identity,
                    "unique_id": _short(frame.unique_id),
                    "received": mask_id_tags(text[:MAX_LOGGED_FRAME]),
                },
            )
            self.count("", [Applied("broken_frame", "", text[:200])])
            if frame.unique_id is None:
                return None
            return frames.call_error(frame.unique_id, frame.code, frame.description)
        if not isinstance(frame, frames.Ignored) and self.caller.on_reply(Reply(frame, text)):
            return None
        # Answers to CALLs that nobody made or waits for any more, and message types that 1.6 tells us to ignore.
        logger.debug("%s sent a frame without effect: %s", self.station.identity, type(frame).__name__)
        return None

    async def _on_call(self, call: Call, text: str) -> str:
        unique_id, action = call.unique_id, call.action
        handler = HANDLERS.get(action)
        if handler is None:
            if schemas.is_known(action):
                return frames.call_error(unique_id, "NotSupported", f"{action} is not for a charger to send")
            return frames.call_error(unique_id, "NotImplemented", f"unknown action {action}"[:255])
        if not self.is_accepted and not self._may_send_early(action):
            return frames.call_error(unique_id, "SecurityError", "the station is not accepted")
        # A look into memory costs a way to Redis. Chargers send what they kept in order, so that after a connection's
        # first new one all is new, as a rule; PostgreSQL finds the exceptions by their content.
        if handler.is_remembered and not (handler.is_queued and self._queue_is_new):
            known = await self.process.answers.find(self.station.station_id, text)
            if known is not None:
                return known
            self._queue_is_new = self._queue_is_new or handler.is_queued
        received = receive(action, call.payload, self.quirks)
        deviations = [*call.deviations, *received.deviations]
        if not self.is_accepted and action in TRANSACTION_ACTIONS:
            deviations.append(Applied("station_not_accepted", "", ""))
        if received.error is not None:
            self.count(action, [*deviations, Applied("not_understood", received.error.field, text[:200])])
            return frames.call_error(unique_id, received.error.code, received.error.message)
        message = Message(
            charge_point=self,
            unique_id=unique_id,
            payload=received.payload,
            original=call.payload,
            received_at=datetime.now(UTC),
            deviations=deviations,
        )
        result = await self._handled(handler, message, action)
        if deviations:
            self.count(action, deviations)
        if result is None:
            return frames.call_error(unique_id, "InternalError", "")
        reply = frames.call_result(unique_id, result.payload)
        if handler.is_remembered and result.may_be_remembered:
            self.process.answers.keep(self.station.station_id, text, reply)
        return reply

    def _may_send_early(self, action: str) -> bool:
        if action in EARLY_ACTIONS:
            return True
        # Billing data of a station that was accepted once is kept whatever staff think of it now (OCPP 1.6 §3.7.1).
        return self.station.was_ever_accepted and action in TRANSACTION_ACTIONS

    async def _handled(self, handler: Handler, message: Message, action: str) -> Answer | None:
        """Run a handler and check its answer; None where either is our own bug, which is logged as such."""
        try:
            result = await handler.handle(message)
        except (DatabaseAway, ConnectionSuperseded, asyncio.CancelledError):
            raise
        except Exception:
            logger.exception("%s %s %s failed", self.station.identity, action, message.unique_id)
            return None
        error = schemas.response_error(action, result.payload)
        if error is not None:
            logger.error("%s %s: our answer breaks the schema: %s", self.station.identity, action, error)
            return None
        return result

    def count(self, action: str, deviations: list[Applied]) -> None:
        """Count the rules that one message needed."""
        now = datetime.now(UTC)
        for deviation in deviations:
            self.process.counters.count_deviation(self.station, action, deviation, now)

    def _log(self, call: Call, text: str, reply: str | None, began: float) -> None:
        """Log one event per message; what is sent all day and went well only at DEBUG, where frames are shown too."""
        handler = HANDLERS.get(call.action)
        answered = "nothing" if reply is None else "error" if reply.startswith("[4") else "result"
        is_daily = handler is not None and handler.is_high_volume and answered == "result"
        level = logging.DEBUG if is_daily else logging.INFO
        if not logger.isEnabledFor(level):
            return
        event: dict[str, Any] = {
            "station": self.station.identity,
            "action": call.action[:MAX_LOGGED_WORD],
            "unique_id": _short(call.unique_id),
            "latency_ms": round((time.monotonic() - began) * 1000, 2),
            "answered": answered,
        }
        if logger.isEnabledFor(logging.DEBUG):
            event["received"] = mask_id_tags(text[:MAX_LOGGED_FRAME])
            event["sent"] = mask_id_tags((reply or "")[:MAX_LOGGED_FRAME])
        logger.log(level, "%s %s", self.station.identity, event["action"], extra=event)


def _short(unique_id: Any) -> Any:
    return unique_id[:MAX_LOGGED_WORD] if isinstance(unique_id, str) else unique_id
