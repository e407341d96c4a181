"""CALLs to one charger: the commands queued for it, one outstanding at a time (OCPP-J 1.6 §4.1.1).

The row in the database is the truth. A notification, a new connection, or the process's timer makes the caller claim
the next command, sends it and waits in a task of its own: the receive loop goes on serving the charger's CALLs.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from evcharging.gateway.connection import Connection
from evcharging.gateway.database.sessions import DatabaseAway
from evcharging.gateway.database.thread_pool import in_thread
from evcharging.gateway.dialect import Dialect
from evcharging.gateway.lanes import Lanes
from evcharging.gateway.ocppj import frames
from evcharging.gateway.ocppj.deviations import Applied
from evcharging.gateway.ocppj.json_text import json_text
from stations.dialects import Frame, Unsayable
from stations.secrets import MASK
from stations.services.calls import LOST, CallOutcome, Claim, ClaimedCommand, record_late_answer

logger = logging.getLogger(__name__)

RETRY_S = 1.0
MAX_RAW = 10_000


class ConnectionLost(Exception):
    """The socket closed before the answer came."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came for a CALL: the frame as it was read, and its text."""

    frame: frames.CallResult | frames.CallError | frames.BrokenAnswer
    text: str


class Caller:
    """The commands of one connection."""

    def __init__(
        self,
        connection: Connection,
        *,
        dialect: Dialect,
        lanes: Lanes,
        count: Callable[[str, list[Applied]], None],
    ) -> None:
        self._connection = connection
        self._dialect = dialect
        self._lanes = lanes
        self._count = count
        self._outstanding: tuple[str, asyncio.Future[Reply]] | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_notified = False
        self._is_closed = False
        self._late: asyncio.Task[None] | None = None

    def notify(self) -> None:
        """Look for commands to send, now or as soon as the outstanding one is answered."""
        self._is_notified = True
        if self._task is None and not self._is_closed:
            self._task = asyncio.create_task(self._work())

    def on_reply(self, reply: Reply) -> bool:
        """Take a CALLRESULT, a CALLERROR, or what was meant to be one; return whether a CALL was waiting for it."""
        outstanding = self._outstanding
        unique_id = reply.frame.unique_id
        if outstanding is not None and isinstance(unique_id, str) and unique_id.strip().lower() == outstanding[0]:
            if not outstanding[1].done():
                outstanding[1].set_result(reply)
            return True
        self._keep_late(reply)
        return False

    async def close(self) -> None:
        """The socket is closed: what waits for an answer ends, and is recorded."""
        self._is_closed = True
        if self._outstanding is not None and not self._outstanding[1].done():
            self._outstanding[1].set_exception(ConnectionLost())
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _work(self) -> None:
        try:
            while self._is_notified and not self._is_closed:
                self._is_notified = False
                while (command := await self._claim()) is not None:
                    await self._call(command)
        finally:
            self._task = None

    async def _claim(self) -> ClaimedCommand | None:
        if self._is_closed:
            return None
        station = self._connection.station
        claim = Claim(station.station_id, station.epoch, datetime.now(UTC))
        try:
            return await self._lanes.claims.submit(claim)
        except DatabaseAway:
            return None  # the timer asks again
        except Exception:
            logger.exception("%s: its commands could not be claimed", station.identity)
            return None

    async def _call(self, command: ClaimedCommand) -> None:
        outcome = await self._outcome(command)
        station = self._connection.station
        logger.info(
            "%s %s: %s",
            station.identity,
            command.action,
            outcome.result_status or outcome.status,
            extra={"station": station.identity, "action": command.action, "unique_id": str(command.id)},
        )
        while True:
            try:
                await self._lanes.outcomes.submit(outcome)
            except DatabaseAway:
                await asyncio.sleep(RETRY_S)  # the answer is here and nowhere else
            except Exception:
                logger.exception("%s %s: its outcome could not be recorded", station.identity, command.action)
                await self._record_failure(outcome)
                return
            else:
                return

    async def _record_failure(self, outcome: CallOutcome) -> None:
        """What follows from the answer failed, which is our bug; the answer itself is still recorded."""
        error = {"code": "InternalError", "description": "what follows from the answer failed; the log says why"}
        try:
            await self._lanes.outcomes.submit(outcome._replace(status="call_error", error=error, result_status=""))
        except Exception:
            logger.exception("%s: a command stays open until it is tidied", self._connection.station.identity)

    async def _outcome(self, command: ClaimedCommand) -> CallOutcome:
        unique_id = str(command.id)
        epoch = self._connection.station.epoch
        frame, problem = self._frame(command)
        if problem:
            return _failed(command.id, epoch, "call_error", "InternalError", f"not sent: {problem}")
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._outstanding = (unique_id, future)
        try:
            async with asyncio.timeout(command.timeout_s):
                if self._is_closed:
                    raise ConnectionLost
                await self._connection.send(frames.call(unique_id, frame.action, frame.payload))
                reply = await future
        except TimeoutError:
            outcome = _failed(command.id, epoch, "timed_out", "", f"no answer in {command.timeout_s:g} s")
            return self._with_sent(outcome, command, frame)
        except (ConnectionLost, ConnectionError, RuntimeError) as error:
            logger.debug("%s: %r", self._connection.station.identity, error)
            return CallOutcome(command.id, epoch, LOST, datetime.now(UTC))
        finally:
            self._outstanding = None
        outcome, deviations = read_reply(command.id, frame.action, epoch, reply, self._dialect)
        if deviations:
            self._count(f"{frame.action}.conf", deviations)
        return self._with_sent(outcome, command, frame)

    def _frame(self, command: ClaimedCommand) -> tuple[Frame, str]:
        """Return the frame in the words of this connection's version, its secret in it, and why it cannot be sent."""
        operations = self._dialect.operations
        frame = Frame(command.action, {})
        if command.problem:
            return frame, command.problem
        try:
            frame = operations.frame(command.operation)
        except Unsayable as error:
            return frame, str(error)
        member = operations.secret_member(frame)
        if member is not None and command.secret is not None:
            frame = Frame(frame.action, {**frame.payload, member: command.secret})
        problem = None if command.allows_invalid else operations.problem(frame)
        if problem is None:
            return frame, ""
        logger.error("%s: our own CALL breaks the schema: %s", frame.action, problem)
        return frame, problem.message

    def _with_sent(self, outcome: CallOutcome, command: ClaimedCommand, frame: Frame) -> CallOutcome:
        """Add what was sent, where the row shows the frame of another version."""
        operations = self._dialect.operations
        if command.version == operations.version:
            return outcome
        member = operations.secret_member(frame)
        shown = frame if member is None else Frame(frame.action, {**frame.payload, member: MASK})
        return outcome._replace(version=operations.version, sent=shown)

    def _keep_late(self, reply: Reply) -> None:
        """An answer that nobody waits for: kept on its row if it is one of ours; one at a time per connection."""
        try:
            command_id = UUID(str(reply.frame.unique_id))
        except ValueError:
            return
        if self._late is None or self._late.done():
            self._late = asyncio.create_task(self._record_late(command_id, reply))

    async def _record_late(self, command_id: UUID, reply: Reply) -> None:
        frame = reply.frame
        answer: Any
        if isinstance(frame, frames.CallResult):
            answer = frame.payload
        else:
            answer = {"code": frame.code, "description": frame.description}
        station = self._connection.station
        operation: Callable[..., Awaitable[bool]] = in_thread
        try:
            is_kept = await operation(
                record_late_answer,
                command_id=command_id,
                station_id=station.station_id,
                answer=answer,
                now=datetime.now(UTC),
            )
        except DatabaseAway:
            return
        except Exception:
            logger.exception("%s: a late answer could not be kept", station.identity)
            return
        if is_kept:
            logger.warning("%s answered command %s too late", station.identity, command_id)


def read_reply(
    command_id: UUID, action: str, epoch: int, reply: Reply, dialect: Dialect
) -> tuple[CallOutcome, list[Applied]]:
    """Read what a charger answered, tolerantly: what is not as specified is kept raw and counted. Pure but for now.

    A status word in the wrong case is put right; an answer without the status it must carry fails the command.
    """
    frame, now = reply.frame, datetime.now(UTC)
    raw = reply.text[:MAX_RAW]
    if isinstance(frame, frames.CallError):
        error = {"code": frame.code[:100], "description": frame.description[:1000]}
        if frame.details not in ({}, None, ""):
            error["details"] = frame.details
        return CallOutcome(command_id, epoch, "call_error", now, error=error), []
    if isinstance(frame, frames.BrokenAnswer):
        code = dialect.codes.formation
        outcome = _failed(command_id, epoch, "call_error", code, f"unreadable answer: {frame.description}")
        return outcome._replace(raw=raw), [Applied("answer_not_understood", "", reply.text[:200])]
    payload, deviations = frame.payload, list(frame.deviations)
    word = payload.get("status") if isinstance(payload, dict) else None
    if action not in dialect.commands:
        return CallOutcome(command_id, epoch, "answered", now, str(word or ""), payload), deviations
    error_found = dialect.response_error(action, payload)
    if error_found is None:
        return CallOutcome(command_id, epoch, "answered", now, str(word or ""), payload, None, ""), deviations
    words = dialect.status_words(action)
    sample = payload if isinstance(payload, str) else json_text(payload)
    deviations.append(Applied("answer_breaks_schema", error_found.field, sample[:200]))
    known = {known.lower(): known for known in words}
    folded = word.strip().lower() if isinstance(word, str) else ""
    outcome = CallOutcome(command_id, epoch, "answered", now, str(word or "")[:100], payload, None, raw)
    malformed = dialect.codes.formation
    if not isinstance(payload, dict):
        return outcome._replace(error={"code": malformed, "description": "the answer is no object"}), deviations
    if not words:
        return outcome, deviations
    if folded in known:
        return outcome._replace(result_status=known[folded]), deviations
    problem = f"unknown status {word!r}"[:200] if word else "the answer has no status"
    return outcome._replace(error={"code": malformed, "description": problem}), deviations


def _failed(command_id: UUID, epoch: int, status: str, code: str, description: str) -> CallOutcome:
    error = {"code": code, "description": description[:1000]}
    return CallOutcome(command_id, epoch, status, datetime.now(UTC), error=error)
