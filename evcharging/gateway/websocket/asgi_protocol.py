"""One WebSocket of the gateway and the ASGI application behind it: handshake, refusals, the inbox, the end."""

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
    INBOX_FULL,
    NO_CODE,
    NORMAL,
    PEER_DOES_NOT_READ,
    SERVICE_RESTART,
    STOPPING,
    TEXT,
    BoundedWebSocket,
    frame,
)

logger = logging.getLogger(__name__)

Event = dict[str, Any]
Headers = Iterable[tuple[bytes, bytes]]


class Connection:
    """What an application may ask of its socket beyond ASGI: `scope["extensions"]["evcharging.connection"]`."""

    __slots__ = ("_protocol",)

    def __init__(self, protocol: "GatewayProtocol") -> None:
        self._protocol = protocol

    @property
    def last_frame_at(self) -> float:
        """time.monotonic() of the peer's last frame of any kind, data, ping or pong; at first, of the handshake."""
        return self._protocol.last_frame_at

    @property
    def reading_paused(self) -> bool:
        """Whether we are the ones who do not read: the peer's silence says nothing then."""
        return self._protocol.held != 0

    @property
    def buffered(self) -> int:
        """Bytes sent that the operating system has not taken yet."""
        return self._protocol.buffered

    def ping(self) -> None:
        """Send a ping, unless the socket is closing or has a full write buffer."""
        if not self._protocol.held & PEER_DOES_NOT_READ:
            self._protocol.sendPing()

    def abort(self) -> None:
        """Drop the TCP connection at once; what was not yet sent is lost, the application gets code 1006."""
        self._protocol.dropConnection(abort=True)


class GatewayProtocol(BoundedWebSocket):
    """A WebSocket and its application.

    Built on autobahn's class, not on Daphne's: of Daphne's, every method would be overridden. What is different:
    refusals carry any status, headers and body; at most `inbox_size` messages, or one of the largest size, wait for
    the application, then the socket is not read; `send` waits while the peer does not read. An application that
    fails costs its own socket only (code 1012, "service restart": come back later; never 1011).
    """

    http_request_data: Any
    http_response_data: Any
    http_headers: Any

    # Defaults on the class: a connection can end before `start`.
    application_task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None  # of the phase: waits for accept, or for an application to end

    def start(self, server: Any, scope: dict[str, Any], handshake: bytes) -> None:
        """Take the socket over from HTTP; `handshake` is the request, reduced to what autobahn has to check."""
        self.start_reading(server)
        self.path = scope["raw_path"].decode("ascii", "backslashreplace")  # for logs: no line break, no ESC
        self.events: deque[Event] = deque()
        self.waiting_size = 0
        self.disconnect_told = False
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
        """Start the application: autobahn found the handshake in order. The result decides when it is answered."""
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
        except BaseException:  # SystemExit too: it would end the event loop and with it every other socket
            logger.exception("%s: the application failed", self.path)
            code = SERVICE_RESTART
        self.application_task = None
        self.stop_timer()
        self.events.clear()
        if self.state == self.STATE_CONNECTING:
            if code == NORMAL:
                logger.error("%s: the application ended without accepting or refusing", self.path)
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
        # An idle station's memory is what its connection keeps.
        self.http_request_data = self.http_response_data = self.http_headers = None

    def accept_timed_out(self) -> None:
        logger.error("%s: the application neither accepted nor refused in time", self.path)
        self.refuse(503)

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Iterable[tuple[str, str]] = ()) -> None:
        """Refuse a handshake that breaks RFC 6455 (called by autobahn)."""
        headers = [(name.encode(), value.encode()) for name, value in responseHeaders or ()]
        self.refuse(code, headers, reason.encode())

    def refuse(self, status: int, headers: Headers = (), body: bytes = b"") -> None:
        """Answer the handshake with an HTTP response and close; autobahn's own way loses headers and body."""
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
        self.waiting_size -= len(event.get("text") or event.get("bytes") or "")
        if self.held & INBOX_FULL and len(self.events) <= self.server.inbox_size // 2:
            self.release(INBOX_FULL)
        return event

    async def send(self, message: Event) -> None:
        """Send, once the peer has taken what was sent before. Does nothing when the socket is closing or closed."""
        if message["type"] != "websocket.send":
            return self.control(message)
        if self.state == self.STATE_CONNECTING:
            raise RuntimeError("websocket.send before websocket.accept")
        while self.held & PEER_DOES_NOT_READ and self.state == self.STATE_OPEN:
            if self.send_waiter is None:
                self.send_waiter = self.loop.create_future()
            # Shielded: several may wait, and one that is cancelled must not cancel the others.
            await asyncio.shield(self.send_waiter)
        if self.state == self.STATE_OPEN:
            text = message.get("text")
            self.sendData(frame(BINARY, message["bytes"]) if text is None else frame(TEXT, text.encode()))

    def control(self, message: Event) -> None:
        kind = message["type"]
        if kind == "websocket.close" and self.state != self.STATE_CONNECTING:
            code = message.get("code") or NORMAL
            self.close(code, message.get("reason"))
            self.events.clear()  # none of it could be answered any more
            self.waiting_size = 0
            self.tell_disconnect(code)
        elif self.state == self.STATE_CLOSED:
            return  # the peer gave up, or the handshake was refused already
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

    def senders_may_go_on(self) -> None:
        if self.send_waiter is not None:
            self.send_waiter.set_result(None)
            self.send_waiter = None

    # --- What the application gets

    def take_text(self, text: str) -> None:
        self.take({"type": "websocket.receive", "text": text}, len(text))

    def take_binary(self, payload: bytes) -> None:
        self.take({"type": "websocket.receive", "bytes": payload}, len(payload))

    def take(self, message: Event, size: int) -> None:
        if self.application_task is not None:
            self.put(message)
            self.waiting_size += size
            if len(self.events) >= self.server.inbox_size or self.waiting_size > self.maxMessagePayloadSize:
                self.hold(INBOX_FULL)

    def put(self, event: Event) -> None:
        self.events.append(event)
        if self.event_waiter is not None and not self.event_waiter.done():
            self.event_waiter.set_result(None)

    def tell_disconnect(self, code: int, reason: str | None = None) -> None:
        if not self.disconnect_told:
            self.disconnect_told = True
            self.put({"type": "websocket.disconnect", "code": code, "reason": reason or ""})

    def is_failed(self, code: int) -> None:
        self.tell_disconnect(code)

    def go_away(self) -> None:
        """Take no more messages; the application answers those it has, ends, and then the socket closes with 1001."""
        if self.application_task is not None:
            self.hold(STOPPING)
            self.tell_disconnect(GOING_AWAY)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """Tell the application: the TCP connection is gone."""
        if self.application_task is not None:
            self.stop_timer()
            self.timer = self.loop.call_later(self.server.application_close_timeout, self.kill_application)
            self.tell_disconnect((code or NO_CODE) if wasClean else ABNORMAL, reason if wasClean else None)
            self.senders_may_go_on()
        self.stop_send_timer()
        self.factory.server_class.websockets.discard(self)

    def kill_application(self) -> None:
        if self.application_task is not None:
            logger.warning("%s: the application took too long to end and is killed", self.path)
            self.application_task.cancel()

    def stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def __repr__(self) -> str:
        return f"<WebSocket {self.peer} {self.path}>"
