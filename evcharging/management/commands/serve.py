"""manage.py serve: serve chargers and staff on one port."""

import argparse
import logging
import signal
import socket
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from evcharging.asgi import application
from evcharging.gateway.shutdown import stop_gateway
from evcharging.gateway.websocket.server import WebSocketServer
from evcharging.server import gc_tuning, health
from evcharging.server.banner import print_banner
from evcharging.server.listen_socket import PortTaken, bound_socket
from evcharging.server.parent import Parent, exit_within
from evcharging.server.startup import FirstAdmin, Start
from evcharging.server.supervisor import Supervisor

# After the gateway's server, which installs the reactor.
from evcharging.gateway.websocket.event_loop import twisted_loop  # isort: skip
from twisted.internet import reactor  # isort: skip

logger = logging.getLogger(__name__)

#: How long a thread that hangs may delay the exit, once everything has stopped.
_EXIT_S = 10.0
#: How long to wait for the port while the children of a killed supervisor still have it.
_PORT_S = 3.0


class Command(BaseCommand):
    help = "Serve chargers (/ocpp/<identity>) and staff (/admin/) on PORT of BIND until SIGTERM or Ctrl-C."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--processes",
            type=int,
            default=settings.PROCESSES,
            help="processes that share the port; with several, SIGHUP replaces one after the other",
        )
        # From the supervisor to its children.
        parser.add_argument("--listen-fd", type=int, help=argparse.SUPPRESS)
        parser.add_argument("--parent-fd", type=int, help=argparse.SUPPRESS)
        parser.add_argument("--listen-when-ready", action="store_true", help=argparse.SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        """Open the port, prepare the database in a thread, serve, and stop in order: sockets, Valkey, PostgreSQL.

        :raises CommandError: the port is taken, or an embedded server did not start.
        """
        if options["processes"] < 1:
            raise CommandError("--processes must be at least 1")
        try:
            if options["parent_fd"] is not None:
                failure = _serve_as_child(options["listen_fd"], options["parent_fd"], options["listen_when_ready"])
            elif options["processes"] == 1:
                bound_socket(settings.BIND, settings.PORT).close()
                failure = _serve_alone()
            else:
                listener = bound_socket(settings.BIND, settings.PORT, wait_s=_PORT_S)
                listener.listen(settings.LISTEN_BACKLOG)
                listener.setblocking(False)
                failure = Supervisor(options["processes"], listener).run()
        except PortTaken as error:
            raise CommandError(str(error)) from None
        if failure:
            raise CommandError(failure)
        exit_within(_EXIT_S)


def _serve_alone() -> str:
    server = _gateway_server(host=settings.BIND, port=settings.PORT, backlog=settings.LISTEN_BACKLOG)

    def on_ready(admin: FirstAdmin | None) -> None:
        print_banner(admin)  # before /readyz answers 200: a script that waits for that then finds the password
        _ready()

    return _run(server, Start(on_ready=on_ready, on_failure=lambda: _stop_soon(server)))


def _serve_as_child(listen_fd: int, parent_fd: int, listen_when_ready: bool) -> str:
    listener = socket.socket(fileno=listen_fd)
    listener.set_inheritable(False)
    parent = Parent(parent_fd)
    server = _gateway_server(listener=listener, listens_at_once=not listen_when_ready)

    def on_ready(admin: FirstAdmin | None) -> None:
        _ready()
        if listen_when_ready:
            reactor.callFromThread(server.listen)
        reactor.callFromThread(parent.send_ready)

    reactor.callWhenRunning(parent.watch, lambda: _stop_soon(server))
    start = Start(on_ready=on_ready, on_failure=lambda: _stop_soon(server), prepare=parent.prepare)
    return _run(server, start)


def _run(server: WebSocketServer, start: Start) -> str:
    """Serve until told to stop; return the reason of a failed start, or ""."""
    reactor.callWhenRunning(start.begin)
    try:
        server.run()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):  # a second one must not interrupt the stop
            signal.signal(number, signal.SIG_IGN)
        start.abandon()
        twisted_loop.run_until_complete(stop_gateway())
        settings.EMBEDDED_SERVERS.release()
        logger.info("stopped")
    return start.failure


def _gateway_server(**options: Any) -> WebSocketServer:
    if settings.BEHIND_TLS_PROXY:
        options["proxy_forwarded_address_header"] = "X-Forwarded-For"
        options["proxy_forwarded_proto_header"] = "X-Forwarded-Proto"
    return WebSocketServer(
        application,
        websocket_max_message_size=settings.OCPP_MAX_MESSAGE_BYTES,
        drain_per_s=settings.DRAIN_PER_S,
        **options,
    )


def _ready() -> None:
    gc_tuning.tune_gc()
    health.mark_ready()
    logger.info("ready")


def _stop_soon(server: WebSocketServer) -> None:
    """Stop the server from another thread, unless it is stopping: a second stop would close all sockets at once."""
    reactor.callFromThread(lambda: None if server.stopping else server.stop())
