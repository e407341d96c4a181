"""The server process: Daphne's Server with the gateway's WebSockets, a deep listen queue and a graceful stop."""

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

from evcharging.gateway.websocket.accept_throttle import Acceptance
from evcharging.gateway.websocket.asgi_protocol import GatewayProtocol
from evcharging.gateway.websocket.http_upgrade import GatewayHTTPFactory

reactor: Any = twisted_reactor  # typed as zope interfaces, which mypy misreads
logger = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

# The peer's Close frame is awaited this long after ours.
CLOSE_HANDSHAKE_S = 5

# When all applications have ended, their peers get this long to answer our Close frames.
FAREWELL_S = 2

# However slowly a drain is to go, it has told every socket by then: whoever stops us kills us in the end.
DRAIN_MAX_S = 60
DRAIN_TICK_S = 0.02


class GatewayServer(daphne.server.Server):
    """Serves one ASGI application on one port: `GatewayServer(application, host=..., port=...).run()`.

    `endpoints` (Twisted's strings) or `listener` (a listening socket, non-blocking, that other processes may share)
    take the place of host, port and backlog. Times are in seconds, sizes in bytes. Liveness of an open socket is the
    application's: no ping is sent and no socket is closed for its age or its silence.

    :param listens_at_once: False leaves the port to a later `listen()`.
    :param drain_per_s: WebSockets that a stop closes per second, while the others are served; 0 all at once.
    :param inbox_size: messages that may wait for one application before its socket is no longer read.
    :param websocket_handshake_timeout: silence allowed until a request is complete, and between two of HTTP.
    :param websocket_connect_timeout: how long an application may take to accept or refuse.
    :param websocket_send_timeout: how long a peer may not read with more than 64 KiB waiting for it.
    :param application_close_timeout: how long an application may run on after its socket closed or `stop()`.
    :param options: what Daphne's Server takes, for the HTTP side.
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
        inbox_size: int = 16,
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
        self.inbox_size = inbox_size
        self.websocket_send_timeout = websocket_send_timeout
        # Apart from `connections`, which Daphne walks through every second: 5,000 idle stations would cost by it.
        self.websockets: set[GatewayProtocol] = set()
        self.connections: dict[Any, dict[str, Any]] = {}
        self.ports: list[Any] = []
        self.acceptance = Acceptance()
        self.listen_failed: str | None = None
        self.stopping = False

    def run(self) -> None:
        """Serve until `stop()`, SIGTERM or SIGINT.

        :raises SystemExit: could not listen; the message says where and why, the exit code is 1.
        """
        self.http_factory = GatewayHTTPFactory(self)
        self.http_factory.timeOut = self.websocket_handshake_timeout
        self.ws_factory = WebSocketFactory(self, server=self.server_name)
        self.ws_factory.protocol = GatewayProtocol
        self.ws_factory.setProtocolOptions(
            failByDrop=False,
            utf8validateIncoming=False,  # GatewayProtocol decodes each message anyway, and closes with 1007
            openHandshakeTimeout=0,  # autobahn gets the request whole; the application's time has its own timer
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
        """Open the port, unless the server is stopping already."""
        if self.stopping:
            return
        if self.listener is not None:
            port = reactor.adoptStreamPort(self.listener.fileno(), self.listener.family, self.http_factory)
            self.listener.close()  # the port has a descriptor of its own
            self.listen_success(port)
            return
        for endpoint in self.endpoints:
            listener = daphne.server.serverFromString(reactor, endpoint).listen(self.http_factory)
            listener.addCallbacks(self.listen_success, self.listen_error)
            self.listeners.append(listener)

    def listen_success(self, port: Any) -> None:
        self.ports.append(port)
        self.acceptance.add(port)
        super().listen_success(port)

    def listen_error(self, failure: Failure) -> None:
        self.listen_failed = failure.getErrorMessage()
        self.stop()

    def stop(self) -> None:
        """Stop gracefully, see `drain`; a second call does not wait for applications any longer."""
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
        """Stop listening, let applications answer what they have, then close the WebSockets with 1001 (going away).

        Applications get websocket.disconnect with 1001 behind the messages already received, and can send until they
        end: an answer whose commit has happened leaves before the Close frame.
        """
        self.stopping = True
        logger.info("Stopping: %s WebSockets", len(self.websockets))
        self.acceptance.stop()
        if self.listener is not None:
            self.listener.close()
        for port in self.ports:
            port.stopListening()
        return Deferred.fromFuture(asyncio.ensure_future(self.close_all()))

    async def close_all(self) -> None:
        """Tell `drain_per_s` WebSockets a second to go away, faster if it took too long; the others are served on."""
        loop = asyncio.get_running_loop()
        left = deque(self.websockets)  # no handshake succeeds any more
        rate = max(self.drain_per_s, len(left) / DRAIN_MAX_S)
        started, told = loop.time(), 0
        while left:
            due = 1 + int((loop.time() - started) * rate) - told if self.drain_per_s else len(left)
            while left and due > 0:
                websocket = left.popleft()
                if websocket.application_task is not None:  # else it closed by itself
                    websocket.go_away()
                    told, due = told + 1, due - 1
            if left:
                await asyncio.sleep(DRAIN_TICK_S)
        await self.wait_for_applications()

    async def wait_for_applications(self) -> None:
        if tasks := self.application_tasks():
            _, pending = await asyncio.wait(tasks, timeout=self.application_close_timeout)
            for task in pending:
                task.cancel()
            if pending:
                logger.warning("Killed %s applications that did not end in time", len(pending))
                await asyncio.wait(pending, timeout=FAREWELL_S)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + FAREWELL_S
        while self.websockets and loop.time() < deadline:
            await asyncio.sleep(0.01)
