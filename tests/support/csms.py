"""A minimal central system: it validates and answers every CALL, and sends the commands of a test."""

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Request, Response, ServerConnection, serve

from evcharging.ocpp16_schemas import request_error, response_error

TIMEOUT_S = 10.0

Payload = dict[str, Any]


class CommandFailed(Exception):
    """A command was answered with a CALLERROR; the arguments are its code and description."""


class Csms:
    """The central system of one station. `received` lists its CALLs in order, as (action, payload)."""

    def __init__(self) -> None:
        self.url = ""
        self.received: list[tuple[str, Payload]] = []
        self.answers: dict[str, Any] = {}
        self.handshakes: list[bytes | None] = []
        self.refused_with: HTTPStatus | None = None
        self._numbers = itertools.count(1)
        self._transaction_ids = itertools.count(71)
        self._socket: ServerConnection | None = None
        self._pending: dict[str, tuple[str, asyncio.Future[Payload]]] = {}
        self._change = asyncio.Condition()

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator["Csms"]:
        csms = cls()
        async with serve(
            csms._serve, "127.0.0.1", 0, subprotocols=["ocpp1.6"], process_request=csms._admit, compression=None
        ) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            csms.url = f"ws://127.0.0.1:{port}/ocpp"
            yield csms

    # Called by tests

    async def command(self, action: str, payload: Payload | None = None) -> Payload:
        """Send a CALL and return its CALLRESULT's payload.

        :raises CommandFailed: it was a CALLERROR.
        """
        payload = payload or {}
        assert request_error(action, payload) is None
        unique_id = f"c{next(self._numbers)}"
        answered: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
        self._pending[unique_id] = (action, answered)
        await self.send(json.dumps([2, unique_id, action, payload]))
        async with asyncio.timeout(TIMEOUT_S):
            return await answered

    async def send(self, text: str) -> None:
        assert self._socket is not None
        await self._socket.send(text)

    async def drop(self, code: int = 1001) -> None:
        assert self._socket is not None
        await self._socket.close(code)

    async def call(self, action: str, matches: Callable[[Payload], bool] = lambda payload: True) -> Payload:
        """Wait for a CALL that matches, return its payload, and remove it and all before it from `received`."""
        async with self._change:
            async with asyncio.timeout(TIMEOUT_S):
                while True:
                    for number, (name, payload) in enumerate(self.received):
                        if name == action and matches(payload):
                            del self.received[: number + 1]
                            return payload
                    await self._change.wait()

    async def status(self, connector_id: int) -> str:
        """Wait for a StatusNotification of a connector and return its status."""
        payload = await self.call("StatusNotification", lambda payload: payload["connectorId"] == connector_id)
        return str(payload["status"])

    async def statuses(self, action: str, count: int) -> list[str]:
        """Wait for `count` progress notifications and return their statuses."""
        return [(await self.call(action))["status"] for _ in range(count)]

    async def booted(self) -> None:
        """Wait for the BootNotification and the first Heartbeat: the station is online."""
        await self.call("BootNotification")
        await self.call("Heartbeat")

    # The server

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        header = request.headers.get("Authorization")
        self.handshakes.append(base64.b64decode(header.removeprefix("Basic ")) if header else None)
        return connection.respond(self.refused_with, "") if self.refused_with else None

    async def _serve(self, socket: ServerConnection) -> None:
        self._socket = socket
        async for text in socket:
            message = json.loads(text)
            if message[0] == 2:
                _, unique_id, action, payload = message
                assert request_error(action, payload) is None, (action, payload)
                answer = self._answer(action, payload)
                frame = [4, unique_id, *answer] if isinstance(answer, list) else [3, unique_id, answer]
                await socket.send(json.dumps(frame))
                async with self._change:
                    self.received.append((action, payload))
                    self._change.notify_all()
            else:
                action, answered = self._pending.pop(message[1])
                if message[0] == 4:
                    answered.set_exception(CommandFailed(*message[2:4]))
                else:
                    error = response_error(action, message[2])
                    assert error is None, (action, message, error)
                    answered.set_result(message[2])

    def _answer(self, action: str, payload: Payload) -> Any:
        """Return a CALLRESULT's payload, or code, description and details of a CALLERROR as a list."""
        if action in self.answers:
            answer = self.answers[action]
            return answer(payload) if callable(answer) else answer
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        accepted = {"idTagInfo": {"status": "Accepted"}}
        match action:
            case "BootNotification":
                return {"status": "Accepted", "currentTime": now, "interval": 300}
            case "Heartbeat":
                return {"currentTime": now}
            case "StartTransaction":
                return {"transactionId": next(self._transaction_ids)} | accepted
            case "Authorize" | "StopTransaction":
                return accepted
            case "DataTransfer" | "SignCertificate":
                return {"status": "Accepted"}
        return {}
