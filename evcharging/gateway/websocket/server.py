"""The server process: Daphne's Server for HTTP, ASGIWebSocket for WebSockets, and a graceful stop."""

import asyncio
import logging
import signal
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast

# First: it installs the reactor before anything makes Twisted install its default.
from evcharging.gateway.websocket.event_loop import twisted_loop  # isort:skip
import daphne.server  # isort:skip
from daphne.ws_protocol import WebSocketFactory
from twisted.internet import reactor as twisted_reactor
from twisted.internet.defer import Deferred
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    STDLibLogObserver,
    globalLogBeginner,
)
from twisted.python.failure import Failure

from evcharging.gateway.websocket.accept_throttle import AcceptThrottle
from evcharging.gateway.websocket.asgi_protocol import ASGIWebSocket
from evcharging.gateway.websocket.http_upgrade import UpgradeHTTPFactory

reactor: Any = twisted_reactor  # typed as zope interfaces, which mypy misreads
logger = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

# Time limit for the peer's Close frame after ours.
CLOSE_HANDSHAKE_S = 5

# At a stop: time for cancelled applications to end, and then for all peers to answer our Close frames.
STOP_GRACE_S = 2

# Upper limit of a drain, whatever `drain_per_s` says: systemd and container runtimes send SIGKILL in the end.
DRAIN_MAX_S = 60
DRAIN_TICK_S = 0.02


class WebSocketServer(daphne.server.Server):
    """Serves one ASGI application on one port: `WebSocketServer(application, host=..., port=...).run()`.

    `endpoints` (Twisted's strings) or `listener` (a listening socket, non-blocking, shared with other processes or
    not) replace host, port and backlog. Times are in seconds, sizes in bytes. Keep-alive is up to the application: no
    ping is sent, and no open socket is closed for its age or its silence.

    :param listens_at_once: False leaves opening the port to a later `listen()`.
    :param drain_per_s: WebSockets closed per second by a stop, while the others are served; 0 closes all at once.
    :param max_queue: messages in the receive queue of an application at which reading its socket pauses.
    :param websocket_handshake_timeout: idle time allowed until a request is complete, and between two HTTP requests.
    :param websocket_connect_timeout: time for an application to accept or deny a connection.
    :param websocket_send_timeout: time for a peer to read while more than 64 KiB are buffered for it.
    :param application_close_timeout: time for an application to end after its socket closed, or after `stop()`.
    :param options: options of Daphne's Server, for HTTP.
    """

    def __init__(
        self,
        application: Application,
        *,
        host: str = "127.0.0.1",
        port: int = 9000,
        endpoints: Iterable[str] = (),
        listener: socket.socket | None = None,
        listens_at_once: bool = True,
        backlog: int = 4096,
        drain_per_s: float = 0,
        max_queue: int = 16,
        websocket_max_message_size: int = 262144,
        websocket_handshake_timeout: float = 60,
        websocket_connect_timeout: float = 60,
        websocket_send_timeout: float = 120,
        application_close_timeout: float = 10,
        server_name: str = "evcharging",
        **options: Any,
    ) -> None:
        interface = host.strip("[]").replace(":", r"\:")
        super().__init__(
            application,
            endpoints=list(endpoints) or [f"tcp:port={port:d}:interface={interface}:backlog={backlog:d}"],
            websocket_timeout=-1,
            websocket_max_message_size=websocket_max_message_size,
            websocket_max_frame_size=websocket_max_message_size,
            websocket_handshake_timeout=websocket_handshake_timeout,
            websocket_connect_timeout=websocket_connect_timeout,
            application_close_timeout=application_close_timeout,
            server_name=server_name,
            **options,
        )
        self.listener = listener
        self.listens_at_once = listens_at_once
        self.drain_per_s = drain_per_s
        self.max_queue = max_queue
        self.websocket_send_timeout = websocket_send_timeout
        # Not in `connections`, over which Daphne iterates every second.
        self.websockets: set[ASGIWebSocket] = set()
        self.connections: dict[Any, dict[str, Any]] = {}
        self.ports: list[Any] = []
        self.accept_throttle = AcceptThrottle()
        self.listen_failed: str | None = None
        self.stopping = False

    def run(self) -> None:
        """Serve until `stop()`, SIGTERM or SIGINT.

        :raises SystemExit: it could not listen; the message says where and why, the exit code is 1.
        """
        self.http_factory = UpgradeHTTPFactory(self)
        self.http_factory.timeOut = self.websocket_handshake_timeout
        self.ws_factory = WebSocketFactory(self, server=self.server_name)
        self.ws_factory.protocol = ASGIWebSocket
        self.ws_factory.setProtocolOptions(
            failByDrop=False,
            utf8validateIncoming=False,  # ASGIWebSocket decodes each message and closes with 1007
            openHandshakeTimeout=0,  # the request is complete; websocket_connect_timeout applies
            closeHandshakeTimeout=CLOSE_HANDSHAKE_S,
            echoCloseCodeReason=True,
            maxMessagePayloadSize=self.websocket_max_message_size,
            maxFramePayloadSize=self.websocket_max_frame_size,
            tcpNoDelay=True,
        )
        errors: Any = LogLevelFilterPredicate(defaultLogLevel=LogLevel.error)
        observer: Any = FilteringLogObserver(cast(Any, STDLibLogObserver(__name__)), [errors])
        globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False, discardBuffer=True)
        asyncio.set_event_loop(twisted_loop)
        if self.listens_at_once:
            self.listen()
        if not self.abort_start:
            reactor.callLater(1, self.application_checker)
            reactor.callLater(2, self.timeout_checker)
            reactor.addSystemEventTrigger("before", "shutdown", self.drain)
            reactor.callWhenRunning(self.running)
            reactor.run(installSignalHandlers=False)
        if self.listen_failed:
            raise SystemExit(self.listen_failed)

    def running(self) -> None:
        if self.signal_handlers:
            for number in (signal.SIGTERM, signal.SIGINT):
                twisted_loop.add_signal_handler(number, self.stop)
        if self.ready_callable:
            self.ready_callable()

    def listen(self) -> None:
        """Open the port, unless the server is stopping."""
        if self.stopping:
            return
        if self.listener is not None:
            port = reactor.adoptStreamPort(self.listener.fileno(), self.listener.family, self.http_factory)
            self.listener.close()  # the port has duplicated the descriptor
            self.listen_success(port)
            return
        for endpoint in self.endpoints:
            listener = daphne.server.serverFromString(reactor, endpoint).listen(self.http_factory)
            listener.addCallbacks(self.listen_success, self.listen_error)
            self.listeners.append(listener)

    def listen_success(self, port: Any) -> None:
        self.ports.append(port)
        self.accept_throttle.add(port)
        super().listen_success(port)

    def listen_error(self, failure: Failure) -> None:
        self.listen_failed = failure.getErrorMessage()
        self.stop()

    def stop(self) -> None:
        """Stop gracefully, see `drain`; a second call cancels the applications that are still running."""
        if not reactor.running:
            self.abort_start = True
        elif not self.stopping:
            self.stopping = True
            reactor.stop()
        else:
            for task in self.application_tasks():
                task.cancel()

    def application_tasks(self) -> list[asyncio.Future[Any]]:
        http = [details.get("application_instance") for details in self.connections.values()]
        return [task for task in [*http, *(websocket.application_task for websocket in self.websockets)] if task]

    def drain(self) -> Deferred[None]:
        """Stop listening, let applications answer what is queued, then close the WebSockets with 1001 (going away).

        Applications get websocket.disconnect with 1001 after the messages already received, and can send until they
        end: an answer whose transaction has committed is sent before the Close frame.
        """
        self.stopping = True
        logger.info("Stopping: %s WebSockets are open", len(self.websockets))
        self.accept_throttle.stop()
        if self.listener is not None:
            self.listener.close()
        for port in self.ports:
            port.stopListening()
        return Deferred.fromFuture(asyncio.ensure_future(self.close_all()))

    async def close_all(self) -> None:
        """Close `drain_per_s` WebSockets per second, or as many as DRAIN_MAX_S demands; serve the others meanwhile."""
        loop = asyncio.get_running_loop()
        remaining = deque(self.websockets)  # complete: handshakes are refused from now on
        rate = max(self.drain_per_s, len(remaining) / DRAIN_MAX_S)
        started, closed = loop.time(), 0
        while remaining:
            due = 1 + int((loop.time() - started) * rate) - closed if self.drain_per_s else len(remaining)
            while remaining and due > 0:
                websocket = remaining.popleft()
                if websocket.application_task is not None:  # else it has closed already
                    websocket.go_away()
                    closed, due = closed + 1, due - 1
            if remaining:
                await asyncio.sleep(DRAIN_TICK_S)
        await self.wait_for_applications()

    async def wait_for_applications(self) -> None:
        if tasks := self.application_tasks():
            _, pending = await asyncio.wait(tasks, timeout=self.application_close_timeout)
            for task in pending:
                task.cancel()
            if pending:
                logger.warning("Cancelled %s applications that did not end in time", len(pending))
                await asyncio.wait(pending, timeout=STOP_GRACE_S)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + STOP_GRACE_S
        while self.websockets and loop.time() < deadline:
            await asyncio.sleep(0.01)
