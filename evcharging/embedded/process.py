"""An embedded server as a process: recognised by its data folder, started, waited for, stopped."""

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

from evcharging.atomic_files import read_or_create_secret

logger = logging.getLogger(__name__)

POLL_S = 0.02
#: How long a stop by the first signal may take before the second one is sent.
STOP_S = 60.0
SIGNAL_AGAIN_S = 1.0
RETRY_S = 0.3
PROGRESS_S = 10.0


class EmbeddedServerError(Exception):
    """An embedded server cannot be run; the message is one line for the command line."""


def command_line(pid: int) -> list[str]:
    """Return the arguments of a running process; empty if there is none, or for a zombie.

    Read from /proc/PID/cmdline, which is readable for every user, unlike exe and cwd.
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
    """A server with its files in `folder`, its Unix socket in `socket_dir` and its password in `password_file`.

    State changes under the lock of EmbeddedServers; is_running() needs none.

    :param user: (uid, gid) that it runs as, if we are root.
    :param give_up: makes a start that waits for the server fail.
    """

    name: str

    def __init__(
        self,
        folder: Path,
        *,
        socket_dir: Path,
        password_file: Path,
        user: tuple[int, int] | None,
        give_up: threading.Event,
    ) -> None:
        self.folder = folder
        self.socket_dir = socket_dir
        self.password_file = password_file
        self.user = user
        self.give_up = give_up
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def password(self) -> str:
        return read_or_create_secret(self.password_file)

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
        """Return the server's arguments; one contains its folder, by which running_pid() recognises the process."""

    @abstractmethod
    def prepare(self) -> None:
        """Create or check the folder before a start."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Tell whether the running server accepts connections."""

    @abstractmethod
    def stop_signals(self) -> tuple[signal.Signals, signal.Signals]:
        """Return the signals for an orderly and for an immediate stop."""

    def recorded_pid(self) -> int:
        """Return the process id in the pid file, or 0."""
        try:
            return int(self.pid_file.read_text().split()[0])
        except (FileNotFoundError, IndexError, ValueError):
            return 0

    def running_pid(self) -> int:
        """Return the process id of this server, or 0, also where its recorded pid is another process's by now."""
        if self._child is not None and self._child.poll() is not None:
            self._child = None  # reaped
        pid = self.recorded_pid()
        program, *arguments = command_line(pid) or [""]
        is_ours = Path(program).name == self.executable.name and any(str(self.folder) in word for word in arguments)
        return pid if is_ours else 0

    def is_running(self) -> bool:
        return self.running_pid() != 0

    def ensure_started(self) -> None:
        """Start the server unless it runs, and wait until it accepts connections, through crash recovery too.

        :raises EmbeddedServerError: it did not start.
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
                start_new_session=True,  # Ctrl-C goes to our process group, and we stop the servers last
            )

    def _wait_until_ready(self) -> None:
        started = logged = time.monotonic()
        while True:
            if self.is_running() and self.is_ready():
                return
            if self._child is not None and self._child.poll() is not None:
                self._child = None
                if not self.should_retry(self.log_text()) or time.monotonic() - started > STOP_S:
                    raise EmbeddedServerError(f"{self.name} did not start: {self.reason()}")
                time.sleep(RETRY_S)
                self.prepare()
                self._spawn()
            elif self._child is None and not self.is_running():
                self.prepare()  # another process's child, which we waited for, has ended
                self._spawn()
            if self.give_up.is_set():
                raise EmbeddedServerError(f"{self.name} was stopped before it was ready")
            if time.monotonic() - logged > PROGRESS_S:
                logged = time.monotonic()
                logger.info("%s is not ready yet, after %d s", self.name, logged - started)
            time.sleep(POLL_S)

    def should_retry(self, log: str) -> bool:
        """Tell whether a start that failed with this log is tried again."""
        return False

    def stop(self) -> None:
        """Stop the server and wait until its process has ended."""
        for signal_number in self.stop_signals():
            pid = self._stoppable_pid()
            deadline, sent_at = time.monotonic() + STOP_S, -math.inf
            while pid and self._stoppable_pid() == pid and time.monotonic() < deadline:
                # Repeated: a server that was just started has no handler yet and may ignore the first one.
                if time.monotonic() - sent_at > SIGNAL_AGAIN_S:
                    sent_at = time.monotonic()
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal_number)
                time.sleep(POLL_S)
        if self._child is not None:
            self._child.wait()
            self._child = None

    def _stoppable_pid(self) -> int:
        """Return the process id of the server, or 0; our own child's even before it has written its pid file."""
        return self.running_pid() or (self._child.pid if self._child is not None else 0)

    def as_user(self, command: list[str], *, reach: list[Path] | None = None) -> list[str]:
        """Return the command line that runs `command` as the server's user, with access to `reach`."""
        if self.user is None:
            return command
        script = Path(__file__).with_name("run_as.py")
        paths = [command[0], *map(str, reach or [self.folder])]
        return [sys.executable, "-I", str(script), *map(str, self.user), *paths, "--", *command]

    def environment(self) -> dict[str, str]:
        """Return an environment without the caller's PGPORT, LC_ALL and the like."""
        return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

    def give(self, path: Path) -> None:
        """Make the server's user the owner of `path`, in the data folder or a private folder of ours."""
        if self.user is not None:
            os.chown(path, *self.user)

    def make_private_folder(self, path: Path) -> None:
        """Create `path` with mode 0700 for the server's user."""
        path.mkdir(mode=0o700, exist_ok=True)
        self.give(path)

    def log_text(self) -> str:
        try:
            return self.log_file.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def reason(self) -> str:
        """Return the last lines of the log as one line."""
        lines = [line.strip() for line in self.log_text().splitlines() if line.strip()]
        return "; ".join(lines[-3:]) or f"{self.log_file} is empty"


def remove_tree(path: Path) -> None:
    """Delete a folder, as root or its owner; errors are ignored."""
    shutil.rmtree(path, ignore_errors=True)
