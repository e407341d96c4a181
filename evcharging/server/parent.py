"""The supervisor on the side of a server process: a socket pair, by which each notices the other's end."""

import os
import socket
import threading
from collections.abc import Callable

from evcharging.server.startup import FirstAdmin, StartAbandoned, prepare_database

#: From the supervisor: the servers run and the database is migrated.
PREPARED = b"p"
#: To the supervisor: /readyz answers 200.
READY = b"r"

#: How long a process may take to stop before it is killed: the longest drain (60 s), the end of the applications, and
#: database calls that hang.
STOP_S = 100.0


class Parent:
    """The child's end of the socket pair; the kernel closes the other end when the supervisor dies."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.set_inheritable(False)
        self._prepared = threading.Event()

    def watch(self, on_gone: Callable[[], None]) -> None:
        """Read the socket in a thread, which calls `on_gone` when the supervisor has ended."""
        threading.Thread(target=self._read, args=[on_gone], name="parent", daemon=True).start()

    def prepare(self, stopping: threading.Event) -> FirstAdmin | None:
        """Wait until the supervisor has prepared the database, then prepare it again.

        There is nothing left to do, unless this process has newer code: after a rolling restart it migrates.
        """
        while not self._prepared.wait(0.05):
            if stopping.is_set():
                raise StartAbandoned
        return prepare_database(stopping, creates_admin=False)

    def send_ready(self) -> None:
        try:
            self._socket.sendall(READY)
        except OSError:
            pass  # it has ended, which watch() notices

    def _read(self, on_gone: Callable[[], None]) -> None:
        try:
            while self._socket.recv(1):
                self._prepared.set()
        except ConnectionResetError:
            pass
        exit_within(STOP_S)
        on_gone()


def exit_within(seconds: float) -> None:
    """Exit the process after so many seconds even if a thread hangs."""
    timer = threading.Timer(seconds, lambda: os._exit(0))
    timer.daemon = True
    timer.start()
