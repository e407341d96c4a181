"""How a charger's frames are answered: CALLs by the handlers of its protocol version, answers by the Caller."""

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import Any, Protocol

from evcharging.gateway.calls import Caller, Reply
from evcharging.gateway.connection import Connection
from evcharging.gateway.counters import Counters
from evcharging.gateway.database.sessions import DatabaseAway
from evcharging.gateway.dialect import Dialect
from evcharging.gateway.handler import Answer, Handler, Message
from evcharging.gateway.lanes import Lanes
from evcharging.gateway.ocppj import frames
from evcharging.gateway.ocppj.deviations import Applied
from evcharging.gateway.ocppj.frames import Call
from evcharging.logs.masking import mask_id_tags
from transactions.services.start import ConnectionSuperseded

logger = logging.getLogger(__name__)

MAX_LOGGED_WORD, MAX_LOGGED_FRAME = 64, 1000


class AnswersGiven(Protocol):
    """Answers by station and frame (redis_state/answers.py)."""

    async def find(self, station_id: int, text: str) -> str | None: ...
    def keep(self, station_id: int, text: str, answer: str) -> None: ...


class ChargePoint:
    """The charger's end of one open connection."""

    def __init__(
        self, connection: Connection, *, dialect: Dialect, lanes: Lanes, answers: AnswersGiven, counters: Counters
    ) -> None:
        self.connection = connection
        self.caller = Caller(connection, dialect=dialect, lanes=lanes, count=self.count)
        self._dialect = dialect
        self._lanes = lanes
        self._answers = answers
        self._counters = counters
        self._queue_is_new = False

    async def on_text(self, text: str) -> str | None:
        """Answer one text frame; None where nothing is to be answered.

        :raises DatabaseAway: the message could not be committed in time. :raises ConnectionSuperseded: a newer
            connection owns the station. In both cases the charger keeps its message, and the socket is closed.
        """
        self.connection.last_message_at = began = time.monotonic()
        frame = self._dialect.parse(text)
        if isinstance(frame, Call):
            reply = None
            try:
                reply = await self._on_call(frame, text)
            finally:
                self._log(frame, text, reply, began)
            return reply
        if isinstance(frame, frames.Malformed):
            identity = self.connection.station.identity
            logger.warning(
                "%s sent a broken frame: %s",
                identity,
                frame.description,
                extra={
                    "station": identity,
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
        # Answers to CALLs that nobody made or waits for any more, and message types that the version has us ignore.
        logger.debug("%s sent a frame without effect: %s", self.connection.station.identity, type(frame).__name__)
        return None

    async def _on_call(self, call: Call, text: str) -> str:
        unique_id, action = call.unique_id, call.action
        dialect, connection = self._dialect, self.connection
        handler = dialect.handlers.get(action)
        if handler is None:
            if dialect.is_known(action):
                return frames.call_error(
                    unique_id, dialect.codes.not_supported, f"{action} is not for a charger to send"
                )
            return frames.call_error(unique_id, dialect.codes.not_implemented, f"unknown action {action}"[:255])
        if not connection.is_accepted and not self._may_send_early(action):
            return frames.call_error(unique_id, dialect.codes.security, "the station is not accepted")
        # A look into memory costs a way to Redis. Chargers send what they kept in order, so that after a connection's
        # first new one all is new, as a rule; PostgreSQL finds the exceptions by their content.
        if handler.is_remembered and not (handler.is_queued and self._queue_is_new):
            known = await self._answers.find(connection.station.station_id, text)
            if known is not None:
                return known
            self._queue_is_new = self._queue_is_new or handler.is_queued
        received = dialect.receive(action, call.payload, connection.quirks)
        deviations = [*call.deviations, *received.deviations]
        if not connection.is_accepted and action in dialect.transaction_actions:
            deviations.append(Applied("station_not_accepted", "", ""))
        if received.error is not None:
            self.count(action, [*deviations, Applied("not_understood", received.error.field, text[:200])])
            return frames.call_error(unique_id, received.error.code, received.error.message)
        message = Message(
            connection=connection,
            lanes=self._lanes,
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
            return frames.call_error(unique_id, dialect.codes.internal, "")
        reply = frames.call_result(unique_id, result.payload)
        if handler.is_remembered and result.may_be_remembered:
            self._answers.keep(connection.station.station_id, text, reply)
        return reply

    def _may_send_early(self, action: str) -> bool:
        if action in self._dialect.early_actions:
            return True
        # Billing data of a station that was accepted once is kept whatever staff think of it now (OCPP 1.6 §3.7.1).
        return self.connection.station.was_ever_accepted and action in self._dialect.transaction_actions

    async def _handled(self, handler: Handler, message: Message, action: str) -> Answer | None:
        """Run a handler and check its answer; None where either is our own bug, which is logged as such."""
        try:
            result = await handler.handle(message)
        except (DatabaseAway, ConnectionSuperseded, asyncio.CancelledError):
            raise
        except Exception:
            logger.exception("%s %s %s failed", self.connection.station.identity, action, message.unique_id)
            return None
        error = self._dialect.response_error(action, result.payload)
        if error is not None:
            logger.error("%s %s: our answer breaks the schema: %s", self.connection.station.identity, action, error)
            return None
        return result

    def count(self, action: str, deviations: list[Applied]) -> None:
        """Count the rules that one message needed."""
        now = datetime.now(UTC)
        for deviation in deviations:
            self._counters.count_deviation(self.connection.station, action, deviation, now)

    def _log(self, call: Call, text: str, reply: str | None, began: float) -> None:
        """Log one event per message; what is sent all day and went well only at DEBUG, where frames are shown too."""
        handler = self._dialect.handlers.get(call.action)
        answered = "nothing" if reply is None else "error" if reply.startswith("[4") else "result"
        is_daily = handler is not None and handler.is_high_volume and answered == "result"
        level = logging.DEBUG if is_daily else logging.INFO
        if not logger.isEnabledFor(level):
            return
        event: dict[str, Any] = {
            "station": self.connection.station.identity,
            "action": call.action[:MAX_LOGGED_WORD],
            "unique_id": _short(call.unique_id),
            "latency_ms": round((time.monotonic() - began) * 1000, 2),
            "answered": answered,
        }
        if logger.isEnabledFor(logging.DEBUG):
            event["received"] = mask_id_tags(text[:MAX_LOGGED_FRAME])
            event["sent"] = mask_id_tags((reply or "")[:MAX_LOGGED_FRAME])
        logger.log(level, "%s %s", self.connection.station.identity, event["action"], extra=event)


def _short(unique_id: Any) -> Any:
    return unique_id[:MAX_LOGGED_WORD] if isinstance(unique_id, str) else unique_id
