"""The database backend that DATABASES names when DATABASE_URL is not set."""

import atexit
import os
import signal
import sys
import threading
from typing import Any

from django.conf import settings
from django.db.backends.postgresql import base, client

from evcharging.embedded.postgres import binaries
from evcharging.embedded.servers import EmbeddedServers


class DatabaseClient(client.DatabaseClient):
    """psql of the embedded server, for `manage.py dbshell`."""

    @property
    def executable_name(self) -> str:  # type: ignore[override]
        return os.fspath(binaries() / "psql")


class DatabaseWrapper(base.DatabaseWrapper):
    """PostgreSQL that is started, or joined, when this process first connects, and left when the process ends."""

    client_class = DatabaseClient

    def get_connection_params(self) -> dict[str, Any]:
        _hold_servers(settings.EMBEDDED_SERVERS)
        return super().get_connection_params()


_held = threading.Lock()


def _hold_servers(servers: EmbeddedServers) -> None:
    with _held:
        if servers.is_held or servers.is_released:
            return
        atexit.register(servers.release)
        if (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        ):
            # without a handler SIGTERM skips atexit, and the servers of a command would outlive it
            signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
        servers.acquire()
