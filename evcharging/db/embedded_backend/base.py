"""The ENGINE of DATABASES where DATABASE_URL is not set."""

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
    """Acquires the embedded servers at the first connection of a process and releases them at its exit."""

    client_class = DatabaseClient

    def get_connection_params(self) -> dict[str, Any]:
        _acquire_servers(settings.EMBEDDED_SERVERS)
        return super().get_connection_params()


_lock = threading.Lock()


def _acquire_servers(servers: EmbeddedServers) -> None:
    with _lock:
        if servers.is_held or servers.is_released:
            return
        atexit.register(servers.release)
        if (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        ):
            # without a handler SIGTERM skips atexit, and the servers would not be released
            signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
        servers.acquire()
