"""manage.py serve: chargers and staff on one port, from an empty folder to an orderly stop."""

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.urls import reverse

from evcharging import health
from evcharging.asgi import application
from evcharging.embedded import EmbeddedServerError
from evcharging.gateway.domain import close_pool
from evcharging.gateway.process import stop_gateway_process
from evcharging.gateway.server import GatewayServer
from evcharging.startup import FirstAdmin, StartAbandoned, prepare_database

# After the gateway's server, which chooses the reactor.
from daphne.server import twisted_loop  # isort: skip
from twisted.internet import reactor  # isort: skip

logger = logging.getLogger(__name__)

#: After everything is down, how long a thread that hangs may keep the process.
_EXIT_S = 10.0


class Command(BaseCommand):
    help = "Serve chargers (/ocpp/<identity>) and staff (/admin/) on PORT of BIND until SIGTERM or Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        """Open the port at once, get ready in a thread, and stop in order: sockets, Valkey, PostgreSQL.

        :raises CommandError: if the port is taken or an embedded server cannot be started.
        """
        _check_port(settings.BIND, settings.PORT)
        start = _Start(lambda: reactor.callFromThread(_stop_reactor))
        reactor.callWhenRunning(start.thread.start)
        try:
            _gateway_server().run()
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):  # a second one must not leave the servers behind
                signal.signal(number, signal.SIG_IGN)
            start.abandon()
            _stop_gateway()
            settings.EMBEDDED_SERVERS.release()
            logger.info("stopped")
        if start.failure:
            raise CommandError(start.failure)
        _leave_within(_EXIT_S)


def _gateway_server() -> GatewayServer:
    proxy: dict[str, Any] = {}
    if settings.BEHIND_TLS_PROXY:
        proxy = {
            "proxy_forwarded_address_header": "X-Forwarded-For",
            "proxy_forwarded_proto_header": "X-Forwarded-Proto",
        }
    return GatewayServer(
        application,
        host=settings.BIND,
        port=settings.PORT,
        backlog=settings.LISTEN_BACKLOG,
        websocket_max_message_size=settings.OCPP_MAX_MESSAGE_BYTES,
        **proxy,
    )


def _stop_gateway() -> None:
    """Write what is still counted and close the connections; a thread that hangs loses its when PostgreSQL stops."""
    try:
        twisted_loop.run_until_complete(asyncio.wait_for(stop_gateway_process(), _EXIT_S))
    except Exception:
        logger.exception("the gateway did not stop in order")
    closing = threading.Thread(target=close_pool, daemon=True)
    closing.start()
    closing.join(_EXIT_S)


def _leave_within(seconds: float) -> None:
    """Everything is down: a thread that hangs must not keep the process."""
    leave = threading.Timer(seconds, lambda: os._exit(0))
    leave.daemon = True
    leave.start()


class _Start:
    """The thread that makes the process ready while its port is already open."""

    def __init__(self, on_failure: Any) -> None:
        self.failure = ""
        self.thread = threading.Thread(target=self._run, name="start", daemon=True)
        self._on_failure = on_failure
        self._stopping = threading.Event()

    def abandon(self) -> None:
        """Make the thread end, and wait for it."""
        self._stopping.set()
        settings.EMBEDDED_SERVERS.abandon_start()
        if self.thread.ident is not None:
            self.thread.join()

    def _run(self) -> None:
        try:
            admin = prepare_database(self._stopping)
        except StartAbandoned:
            pass
        except EmbeddedServerError as error:
            self._fail(str(error))
        except Exception:
            logger.exception("the system cannot start")
            self._fail("the system cannot start; the log says why")
        else:
            health.mark_ready()
            logger.info("ready")
            _say_what_to_do_next(admin)
        finally:
            connections.close_all()

    def _fail(self, reason: str) -> None:
        if not self._stopping.is_set():
            self.failure = reason
            self._on_failure()


def _stop_reactor() -> None:
    if reactor.running:
        reactor.stop()  # type: ignore[misc]


def _check_port(host: str, port: int) -> None:
    """Try the port before anything is started.

    :raises CommandError: with one line, if it cannot be listened on.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            attempt.bind(address)
    except OSError as error:
        raise CommandError(
            f"cannot listen on {host}:{port}: {error.strerror or error} (set PORT or BIND to another)"
        ) from None


def _say_what_to_do_next(admin: FirstAdmin | None) -> None:
    """Tell a person, on stderr: stdout is for logs, and a password is none."""
    host = settings.BIND
    if host in ("0.0.0.0", "::"):
        host = settings.ALLOWED_HOSTS[0] if settings.BEHIND_TLS_PROXY else socket.gethostname()
    elif ":" in host:
        host = f"[{host}]"
    at = f"{host}:{settings.PORT}"
    prefix = "" if settings.DATA_DIR == settings.BASE_DIR / "var" else f"DATA_DIR={settings.DATA_DIR} "
    login = (
        f"user {admin.name}, password {admin.password} (shown this once)"
        if admin
        else "with the account you have; a new one: manage.py createsuperuser"
    )
    print(
        f"""
  Chargers connect to  ws://{at}/ocpp/<identity>
  Staff log in at      http://{at}{reverse("admin:index")}
                       {login}
  Try it with          {prefix}.venv/bin/python manage.py simulate --url ws://{at}/ocpp --stations 3
  Stop with            Ctrl-C
""",
        file=sys.stderr,
        flush=True,
    )
