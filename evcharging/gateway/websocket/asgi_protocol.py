"""One WebSocket and its ASGI application: handshake, denial response, receive queue, close."""

import asyncio
import http
import logging
from collections import deque
from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred

from evcharging.gateway.websocket.framing import (
    ABNORMAL,
    BINARY,
    GOING_AWAY,
    NO_CODE,
    NORMAL,
    QUEUE_FULL,
    SERVICE_RESTART,
    STOPPING,
    TEXT,
    WRITE_BUFFER_FULL,
    BoundedWebSocket,
    frame,
)

logger = logging.getLogger(__name__)

Event = dict[str, Any]
Headers = Iterable[tuple[bytes, bytes]]


class Connection:
    """The socket beyond what ASGI offers an application: `scope["extensions"]["evcharging.connection"]`."""

    __slots__ = ("_protocol",)

    def __init__(self, protocol: "ASGIWebSocket") -> None:
        self._protocol = protocol

    @property
    def last_frame_at(self) -> float:
        """time.monotonic() of the peer's last frame of any kind (data, ping, pong), initially of the handshake."""
        return self._protocol.last_frame_at

    @property
    def reading_paused(self) -> bool:
        """Whether this server does not read the socket; `last_frame_at` says nothing about the peer then."""
        return self._protocol.read_pauses != 0

    @property
    def buffered(self) -> int:
        """Bytes sent that the kernel has not accepted yet."""
        return self._protocol.buffered

    def ping(self) -> None:
        """Send a ping, unless the socket is closing or its write buffer is full."""
        if not self._protocol.read_pauses & WRITE_BUFFER_FULL:
            self._protocol.sendPing()

    def abort(self) -> None:
        """Reset the TCP connection; unsent data is lost, the application gets websocket.disconnect with 1006."""
        self._protocol.dropConnection(abort=True)


class ASGIWebSocket(BoundedWebSocket):
    """A WebSocket and the task of its application.

    A subclass of autobahn's protocol, not of Daphne's: every method of that would be overridden. It differs in that
    a denial response has any status, headers and body; reading pauses at `max_queue` messages, or the bytes of one
    message of the largest size, that the application has not received; `send` waits while the write buffer is full.
    An application that raises closes its own socket only, with 1012 ("service restart": reconnect later), never 1011.
    """

    http_request_data: Any
    http_response_data: Any
    http_headers: Any

    # Defaults on the class: a connection can end before `start`.
    application_task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None  # the limit of the current phase: until accept, or until the task's end

    def start(self, server: Any, scope: dict[str, Any], handshake: bytes) -> None:
        """Begin the handshake; `handshake` is the HTTP request, reduced to what autobahn has to check."""
        self.start_reading(server)
        self.path = scope["raw_path"].decode("ascii", "backslashreplace")  # for logs: no line break, no ESC
        self.events: deque[Event] = deque()
        self.queued_size = 0
        self.is_disconnect_queued = False
        self.event_waiter: asyncio.Future[None] | None = None
        self.send_waiter: asyncio.Future[None] | None = None
        self.denial: Event | None = None
        self.denial_body = b""
        self.scope = scope
        scope["extensions"] = {"websocket.http.response": {}, "evcharging.connection": Connection(self)}
        server.websockets.add(self)
        self.data = handshake
        self.processHandshake()

    # --- Handshake

    def onConnect(self, request: object) -> Any:
        """Start the application (called by autobahn when the handshake is valid); the Deferred is its decision."""
        self.handshake_answer: Deferred[Any] = Deferred()
        self.events.append({"type": "websocket.connect"})
        self.application_task = self.loop.create_task(self.run_application())
        self.timer = self.loop.call_later(self.server.websocket_connect_timeout, self.accept_timed_out)
        return self.handshake_answer

    async def run_application(self) -> None:
        code = NORMAL
        try:
            await self.server.application(self.scope, self.receive, self.send)
        except asyncio.CancelledError:
            code = SERVICE_RESTART
        except BaseException:  # SystemExit too: it would stop the event loop and close every other socket
            logger.exception("%s: the application failed", self.path)
            code = SERVICE_RESTART
        self.application_task = None
        self.stop_timer()
        self.events.clear()
        if self.state == self.STATE_CONNECTING:
            if code == NORMAL:
                logger.error("%s: the application returned without accepting or denying the connection", self.path)
            self.refuse(503 if self.server.stopping else 500)
        else:
            self.close(GOING_AWAY if self.server.stopping else code)

    def accept(self, message: Event) -> None:
        if self.server.stopping:
            return self.refuse(503)
        subprotocol = message.get("subprotocol")
        if subprotocol is not None and subprotocol not in self.websocket_protocols:
            raise ValueError(f"subprotocol {subprotocol!r} was not offered")
        headers: dict[str, list[str]] = {}
        for name, value in message.get("headers", ()):
            headers.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
        self.stop_timer()
        self.handshake_answer.callback((subprotocol, headers))

    def onOpen(self) -> None:
        # autobahn keeps the parsed handshake as long as the connection lives.
        self.http_request_data = self.http_response_data = self.http_headers = None

    def accept_timed_out(self) -> None:
        logger.error("%s: the application did not accept or deny the connection in time", self.path)
        self.refuse(503)

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Iterable[tuple[str, str]] = ()) -> None:
        """Refuse a handshake that violates RFC 6455 (called by autobahn)."""
        headers = [(name.encode(), value.encode()) for name, value in responseHeaders or ()]
        self.refuse(code, headers, reason.encode())

    def refuse(self, status: int, headers: Headers = (), body: bytes = b"") -> None:
        """Answer the handshake with an HTTP response and close; autobahn's own refusal drops headers and body."""
        if self.state != self.STATE_CONNECTING:
            return
        ours = [(b"content-length", b"%d" % len(body)), (b"connection", b"close")]
        theirs = [(name, value) for name, value in headers if name.lower() not in (b"content-length", b"connection")]
        lines = [b"HTTP/1.1 %d %s" % (status, http.HTTPStatus(status).phrase.encode())]
        lines += [b"%s: %s" % header for header in [*theirs, *ours]]
        if any(b"\n" in line or b"\r" in line for line in lines):
            raise ValueError("line break in a header")
        self.stop_timer()
        self.sendData(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        self.dropConnection(abort=False)

    # --- What the application calls

    async def receive(self) -> Event:
        while not self.events:
            self.event_waiter = self.loop.create_future()
            await self.event_waiter
        event = self.events.popleft()
        self.queued_size -= len(event.get("text") or event.get("bytes") or "")
        if self.read_pauses & QUEUE_FULL and len(self.events) <= self.server.max_queue // 2:
            self.resume_reading(QUEUE_FULL)
        return event

    async def send(self, message: Event) -> None:
        """Send when the write buffer has room; do nothing when the socket is closing or closed."""
        if message["type"] != "websocket.send":
            return self.handle_control_event(message)
        if self.state == self.STATE_CONNECTING:
            raise RuntimeError("websocket.send before websocket.accept")
        while self.read_pauses & WRITE_BUFFER_FULL and self.state == self.STATE_OPEN:
            if self.send_waiter is None:
                self.send_waiter = self.loop.create_future()
            # Shielded: several tasks may wait for it, and a cancelled one must not cancel the others.
            await asyncio.shield(self.send_waiter)
        if self.state == self.STATE_OPEN:
            text = message.get("text")
            self.sendData(frame(BINARY, message["bytes"]) if text is None else frame(TEXT, text.encode()))

    def handle_control_event(self, message: Event) -> None:
        kind = message["type"]
        if kind == "websocket.close" and self.state != self.STATE_CONNECTING:
            code = message.get("code") or NORMAL
            self.close(code, message.get("reason"))
            self.events.clear()  # none of these could be answered any more
            self.queued_size = 0
            self.queue_disconnect(code)
        elif self.state == self.STATE_CLOSED:
            return  # the peer disconnected, or the handshake was refused already
        elif self.state != self.STATE_CONNECTING:
            raise RuntimeError(f"{kind} after websocket.accept")
        elif kind == "websocket.accept":
            self.accept(message)
        elif kind == "websocket.close":
            self.refuse(403)
        elif kind == "websocket.http.response.start":
            self.denial = message
        elif kind == "websocket.http.response.body" and self.denial is not None:
            self.denial_body += message.get("body", b"")
            if not message.get("more_body", False):
                self.refuse(self.denial["status"], self.denial.get("headers", ()), self.denial_body)
        else:
            raise RuntimeError(f"{kind} is not expected here")

    def resume_writing(self) -> None:
        if self.send_waiter is not None:
            self.send_waiter.set_result(None)
            self.send_waiter = None

    # --- The application's receive queue

    def text_received(self, text: str) -> None:
        self.queue_message({"type": "websocket.receive", "text": text}, len(text))

    def binary_received(self, payload: bytes) -> None:
        self.queue_message({"type": "websocket.receive", "bytes": payload}, len(payload))

    def queue_message(self, message: Event, size: int) -> None:
        if self.application_task is not None:
            self.queue_event(message)
            self.queued_size += size
            if len(self.events) >= self.server.max_queue or self.queued_size > self.maxMessagePayloadSize:
                self.pause_reading(QUEUE_FULL)

    def queue_event(self, event: Event) -> None:
        self.events.append(event)
        if self.event_waiter is not None and not self.event_waiter.done():
            self.event_waiter.set_result(None)

    def queue_disconnect(self, code: int, reason: str | None = None) -> None:
        if not self.is_disconnect_queued:
            self.is_disconnect_queued = True
            self.queue_event({"type": "websocket.disconnect", "code": code, "reason": reason or ""})

    def connection_failed(self, code: int) -> None:
        self.queue_disconnect(code)

    def go_away(self) -> None:
        """Stop reading; the application answers what is queued, ends, and then the socket closes with 1001."""
        if self.application_task is not None:
            self.pause_reading(STOPPING)
            self.queue_disconnect(GOING_AWAY)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """Queue websocket.disconnect (called by autobahn when the TCP connection has ended)."""
        if self.application_task is not None:
            self.stop_timer()
            self.timer = self.loop.call_later(self.server.application_close_timeout, self.cancel_application)
            self.queue_disconnect((code or NO_CODE) if wasClean else ABNORMAL, reason if wasClean else None)
            self.resume_writing()
        self.stop_send_timer()
        self.factory.server_class.websockets.discard(self)

    def cancel_application(self) -> None:
        if self.application_task is not None:
            logger.warning("%s: the application did not end in time and is cancelled", self.path)
            self.application_task.cancel()

    def stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def __repr__(self) -> str:
        return f"<WebSocket {self.peer} {self.path}>"
