"""The child's end of the line between a server process and its supervisor (evcharging.server.supervisor)."""

import os
import socket
import threading
from collections.abc import Callable

from evcharging.server.startup import FirstAdmin, StartAbandoned, prepare_database

#: From the supervisor: the servers run and the database is migrated.
PREPARED = b"p"
#: To the supervisor: /readyz answers 200.
READY = b"r"

#: How long a process may take to stop before it is killed: the longest drain, the applications' last words, and what
#: hangs on a database.
STOP_S = 100.0


class Parent:
    """The supervisor as its child sees it. Its death, however it comes, closes the line."""

    def __init__(self, descriptor: int) -> None:
        self._line = socket.socket(fileno=descriptor)
        self._line.set_inheritable(False)
        self._prepared = threading.Event()

    def watch(self, on_gone: Callable[[], None]) -> None:
        """Read the line in a thread; `on_gone` is called there once the supervisor is no more."""
        threading.Thread(target=self._read, args=[on_gone], name="parent", daemon=True).start()

    def prepare(self, stopping: threading.Event) -> FirstAdmin | None:
        """Prepare the database after the supervisor has.

        Nothing is left to do, unless this process has newer code: a rolling restart then migrates.
        """
        while not self._prepared.wait(0.05):
            if stopping.is_set():
                raise StartAbandoned
        return prepare_database(stopping, creates_admin=False)

    def say_ready(self) -> None:
        try:
            self._line.sendall(READY)
        except OSError:
            pass  # it is gone, and watch() knows

    def _read(self, on_gone: Callable[[], None]) -> None:
        try:
            while self._line.recv(1):
                self._prepared.set()
        except ConnectionResetError:
            pass
        leave_within(STOP_S)
        on_gone()


def leave_within(seconds: float) -> None:
    """End the process by then: a thread that hangs must not keep it."""
    leave = threading.Timer(seconds, lambda: os._exit(0))
    leave.daemon = True
    leave.start()
