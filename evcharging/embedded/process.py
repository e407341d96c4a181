"""One embedded server as a process: found again by its data folder, started, waited for, stopped."""

import logging
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path

logger = logging.getLogger(__name__)

POLL_S = 0.02
#: How long a stop may take before the server is told to drop everything.
STOP_S = 60.0
SIGNAL_AGAIN_S = 1.0


class EmbeddedServerError(Exception):
    """An embedded server cannot be run; the message is one line for whoever started us."""


def command_line(pid: int) -> list[str]:
    """Return the arguments of a running process, or nothing if there is none (a zombie has none either).

    /proc/PID/cmdline can be read whoever the process belongs to, unlike its exe and cwd.
    """
    if pid <= 0:
        return []
    if sys.platform == "linux":
        try:
            return [os.fsdecode(word) for word in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") if word]
        except (FileNotFoundError, ProcessLookupError):
            return []
    listing = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return listing.stdout.split()


class ServerProcess(ABC):
    """A server that keeps its files in `folder` and runs as `user` (uid, gid) if we are root.

    Every change of state is made under the lock of EmbeddedServers; is_running() needs none.
    """

    name: str

    def __init__(self, folder: Path, *, user: tuple[int, int] | None, give_up: threading.Event) -> None:
        self.folder = folder
        self.user = user
        self.give_up = give_up
        self._child: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def pid_file(self) -> Path: ...

    @property
    @abstractmethod
    def executable(self) -> Path: ...

    @property
    @abstractmethod
    def log_file(self) -> Path: ...

    @abstractmethod
    def arguments(self) -> list[str]:
        """Return the server's arguments; one of them names its folder, by which its process is recognised."""

    @abstractmethod
    def prepare(self) -> None:
        """Make the folder ready for a start."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Tell whether the running server takes connections."""

    @abstractmethod
    def stop_signals(self) -> tuple[signal.Signals, signal.Signals]:
        """Return the signal that stops the server in order and the one that always stops it."""

    def recorded_pid(self) -> int:
        """Return the process id in the pid file, or 0."""
        try:
            return int(self.pid_file.read_text().split()[0])
        except (FileNotFoundError, IndexError, ValueError):
            return 0

    def running_pid(self) -> int:
        """Return the process id of this very server, or 0: a pid that another process has by now is not it."""
        if self._child is not None and self._child.poll() is not None:
            self._child = None  # reaped
        pid = self.recorded_pid()
        program, *arguments = command_line(pid) or [""]
        is_ours = Path(program).name == self.executable.name and any(str(self.folder) in word for word in arguments)
        return pid if is_ours else 0

    def is_running(self) -> bool:
        return self.running_pid() != 0

    def ensure_started(self) -> None:
        """Start the server unless it runs, and wait until it takes connections, through recovery if need be.

        :raises EmbeddedServerError: if it gives up.
        """
        if not self.is_running():
            self.prepare()
            self._spawn()
        self._wait_until_ready()

    def _spawn(self) -> None:
        command = self.as_user([str(self.executable), *self.arguments()])
        with self.log_file.open("wb") as log:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=self.environment(),
                start_new_session=True,  # Ctrl-C is for us; the servers are stopped last, and in order
            )

    def _wait_until_ready(self) -> None:
        started = told = time.monotonic()
        while True:
            if self.is_running() and self.is_ready():
                return
            if self._child is not None and self._child.poll() is not None:
                self._child = None
                if not self.should_retry(self.log_text()) or time.monotonic() - started > STOP_S:
                    raise EmbeddedServerError(f"{self.name} did not start: {self.reason()}")
                time.sleep(0.3)
                self.prepare()
                self._spawn()
            elif self._child is None and not self.is_running():
                self.prepare()  # the one we waited for, another process's child, has gone
                self._spawn()
            if self.give_up.is_set():
                raise EmbeddedServerError(f"{self.name} was stopped before it was ready")
            if time.monotonic() - told > 10:
                told = time.monotonic()
                logger.info("%s is not ready yet, after %d s", self.name, told - started)
            time.sleep(POLL_S)

    def should_retry(self, log: str) -> bool:
        """Tell whether a start that failed with this log is worth another try."""
        return False

    def stop(self) -> None:
        """Stop the server in order and wait until it is gone."""
        for how in self.stop_signals():
            pid = self._stoppable_pid()
            deadline, told = time.monotonic() + STOP_S, -math.inf
            while pid and self._stoppable_pid() == pid and time.monotonic() < deadline:
                # Again and again: one that has only just been started may not listen to signals yet.
                if time.monotonic() - told > SIGNAL_AGAIN_S:
                    told = time.monotonic()
                    with suppress(ProcessLookupError):
                        os.kill(pid, how)
                time.sleep(POLL_S)
        if self._child is not None:
            self._child.wait()
            self._child = None

    def _stoppable_pid(self) -> int:
        """Return the process id of the server, or 0; our own child counts before it has written its pid file."""
        return self.running_pid() or (self._child.pid if self._child is not None else 0)

    def as_user(self, command: list[str], *, reach: list[Path] | None = None) -> list[str]:
        """Return the command that runs `command` as the server's user, who must be able to reach `reach`."""
        if self.user is None:
            return command
        script = Path(__file__).with_name("run_as.py")
        paths = [command[0], *map(str, reach or [self.folder])]
        return [sys.executable, "-I", str(script), *map(str, self.user), *paths, "--", *command]

    def environment(self) -> dict[str, str]:
        """Return a clean environment: no PGPORT or LC_ALL of the caller's reaches a server."""
        return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

    def give(self, path: Path) -> None:
        """Make the server's user the owner of `path`, which lies in the data folder or is a private folder of ours."""
        if self.user is not None:
            os.chown(path, *self.user)

    def make_private_folder(self, path: Path) -> None:
        """Create `path` for the server's user alone."""
        path.mkdir(mode=0o700, exist_ok=True)
        self.give(path)

    def log_text(self) -> str:
        try:
            return self.log_file.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def reason(self) -> str:
        """Return the last telling lines of the log as one line."""
        lines = [line.strip() for line in self.log_text().splitlines() if line.strip()]
        return "; ".join(lines[-3:]) or f"it said nothing in {self.log_file}"


def remove_tree(path: Path) -> None:
    """Delete a folder that may belong to the server's user; root and its owner can."""
    shutil.rmtree(path, ignore_errors=True)
