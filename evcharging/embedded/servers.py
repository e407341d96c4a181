"""The embedded PostgreSQL and Valkey: started for the first process that needs them, stopped by the last.

Reference counting by flock(2): every process that uses the servers of a data folder holds a shared lock on its file
`users`; one that leaves and gets the exclusive lock is the last and stops them. The kernel releases the lock of a
killed process, so the count is never stale. A second lock, `lock`, serialises starts and stops. Nothing outside the
data folder is changed, except for a private folder of the sockets where the data folder's path is too long for them.
"""

import fcntl
import logging
import os
import pwd
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from evcharging.atomic_files import write_private_file
from evcharging.embedded.postgres import USER, PostgresServer
from evcharging.embedded.process import EmbeddedServerError, ServerProcess
from evcharging.embedded.valkey import ValkeyServer

logger = logging.getLogger(__name__)

#: sun_path has 104 bytes on macOS, 108 on Linux; the longest name in the folder is /.s.PGSQL.5432.
_SOCKET_DIR_BYTES = 85
#: Characters that need no quoting in libpq, in PostgreSQL's list of socket folders and in valkey.conf.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._+-]+")
_SUPERVISE_S = 0.5
_RESTART_PAUSE_S = 10.0

S = TypeVar("S", bound=ServerProcess)


class EmbeddedServersInUse(EmbeddedServerError):
    """exclusively() found another process that uses the servers."""


class EmbeddedServers:
    """The servers of one data folder.

    :raises EmbeddedServerError: from every method that uses the folder; the message is one line.
    """

    def __init__(self, data_dir: Path, *, postgres: bool = True, valkey: bool = True) -> None:
        self.folder = data_dir.resolve() / "embedded"
        self._users: int | None = None
        #: Set by release(): a late database connection must not start the servers again.
        self.is_released = False
        self._supervisor: threading.Thread | None = None
        self._stopping = threading.Event()
        self._wanted = (postgres, valkey)
        self._servers: tuple[PostgresServer, ValkeyServer] | None = None

    # Addresses: known before the servers run, and the same at every start.

    @property
    def postgres(self) -> PostgresServer:
        return self._both()[0]

    @property
    def valkey(self) -> ValkeyServer:
        return self._both()[1]

    def postgres_url(self, database: str = USER) -> str:
        """Return a URL as DATABASE_URL takes it."""
        return f"postgresql://{USER}:{self.postgres.password}@/{database}?host={self.postgres.socket_dir}"

    def _both(self) -> tuple[PostgresServer, ValkeyServer]:
        if self._servers is None:
            with _one_line_errors(self.folder):
                user = self._server_user()
                socket_dir = self._socket_dir(user)
                self._servers = (
                    self._server(PostgresServer, "postgres", socket_dir, user),
                    self._server(ValkeyServer, "valkey", socket_dir, user),
                )
        return self._servers

    def _server(self, kind: type[S], name: str, socket_dir: Path, user: tuple[int, int] | None) -> S:
        return kind(
            self.folder / name,
            socket_dir=socket_dir,
            password_file=self.folder / f"{name}.password",
            user=user,
            give_up=self._stopping,
        )

    def _wanted_servers(self) -> list[ServerProcess]:
        return [server for server, wanted in zip(self._both(), self._wanted, strict=True) if wanted]

    def _server_user(self) -> tuple[int, int] | None:
        """Return (uid, gid) for the servers if we are root, which PostgreSQL refuses: the data's owner or nobody."""
        if os.geteuid() != 0:
            return None
        try:
            status = (self.folder / "postgres").stat()
            if status.st_uid != 0:
                return status.st_uid, status.st_gid
        except FileNotFoundError:
            pass
        try:
            entry = pwd.getpwnam("nobody")
        except KeyError:
            raise EmbeddedServerError(
                "PostgreSQL does not run as root and there is no user nobody: run as an ordinary user"
            ) from None
        return entry.pw_uid, entry.pw_gid

    def _socket_dir(self, user: tuple[int, int] | None) -> Path:
        """Return the folder of the sockets, accessible to the servers' user alone."""
        own = self.folder / "run"
        if len(os.fsencode(own)) <= _SOCKET_DIR_BYTES and _PLAIN_PATH.fullmatch(str(own)):
            return own
        record = self.folder / "socket_dir"
        owner = user[0] if user else os.geteuid()
        with self._lock():
            if record.exists():
                recorded = Path(record.read_text())
                if recorded.is_dir() and not recorded.is_symlink() and recorded.stat().st_uid == owner:
                    return recorded
            made = Path(tempfile.mkdtemp(prefix="evcharging-", dir=_short_temporary_folder()))
            if user:
                os.chown(made, *user)
            write_private_file(record, str(made))
            return made

    # Acquire and release

    def acquire(self) -> None:
        """Start the servers that do not run, and keep them for this process until release(). Idempotent."""
        if self._users is not None or not any(self._wanted):
            return
        self._both()  # _socket_dir() takes the lock too
        with self._lock():
            descriptor = self._open("users")
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            try:
                self._start()
            except BaseException:
                self._leave(descriptor)
                raise
            self._users = descriptor

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Run the servers for this process alone, then release() them; other processes' acquire() waits meanwhile.

        :raises EmbeddedServersInUse: another process has acquired them, even if it has no connection open.
        """
        self._both()
        with self._lock():
            descriptor = self._open("users")
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                raise EmbeddedServersInUse(f"another process uses the data folder {self.folder.parent}") from None
            self._users = descriptor
            try:
                self._start()
            except BaseException:
                self._users = None
                self._leave(descriptor)
                raise
        try:
            yield
        finally:
            # A waiting acquire() holds `lock` and blocks on `users`; release() needs `lock`, so let it through first.
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            self.release()

    def abandon_start(self) -> None:
        """Make an acquire() that waits in another thread raise EmbeddedServerError."""
        self._stopping.set()

    def release(self) -> None:
        """Release the servers; stop them, and wait until they have, if no other process uses them."""
        self.is_released = True
        self._stopping.set()
        if self._supervisor is not None:
            self._supervisor.join()
            self._supervisor = None
        descriptor, self._users = self._users, None
        if descriptor is not None:
            with self._lock():
                self._leave(descriptor)
        self._stopping.clear()

    @property
    def is_held(self) -> bool:
        """Whether this process has acquired the servers."""
        return self._users is not None

    def supervise(self) -> None:
        """Restart, from a thread, a server that died; its address stays the same, so that clients only reconnect."""
        if self._supervisor is None and any(self._wanted):
            self._supervisor = threading.Thread(target=self._supervise, name="embedded-servers", daemon=True)
            self._supervisor.start()

    def _supervise(self) -> None:
        pause = _SUPERVISE_S
        while not self._stopping.wait(pause):
            pause = _SUPERVISE_S
            if all(server.is_running() for server in self._wanted_servers()):
                continue
            try:
                with self._lock():
                    for server in self._wanted_servers():
                        if not server.is_running():
                            logger.error("%s died; restarting it", server.name)
                            server.ensure_started()
                            logger.info("%s restarted", server.name)
            except (EmbeddedServerError, OSError) as error:
                if not self._stopping.is_set():
                    logger.error("cannot restart an embedded server, retrying in %d s: %s", _RESTART_PAUSE_S, error)
                pause = _RESTART_PAUSE_S

    def _start(self) -> None:
        with _one_line_errors(self.folder):
            socket_dir = self.postgres.socket_dir
            self.postgres.make_private_folder(socket_dir)
            for server in self._wanted_servers():
                server.ensure_started()
            if self._wanted[0]:
                self._create_database()

    def _create_database(self) -> None:
        import psycopg  # here: settings import this module in processes that need no database

        with psycopg.connect(
            host=str(self.postgres.socket_dir),
            user=USER,
            password=self.postgres.password,
            dbname="postgres",
            autocommit=True,
        ) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [USER]).fetchone():
                connection.execute(f"CREATE DATABASE {USER}")

    def stop_if_unused(self) -> bool:
        """Stop servers that a killed process left running; return False if another process uses them."""
        self._both()
        with self._lock():
            return self._leave(self._open("users"))

    def _leave(self, descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            for server in reversed(self._wanted_servers()):
                server.stop()
            return True
        finally:
            os.close(descriptor)

    def _open(self, name: str) -> int:
        with _one_line_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            return os.open(self.folder / name, os.O_RDWR | os.O_CREAT, 0o600)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        descriptor = self._open("lock")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _short_temporary_folder() -> str:
    folder = tempfile.gettempdir()
    return folder if len(folder) <= 40 and _PLAIN_PATH.fullmatch(folder) else "/tmp"


@contextmanager
def _one_line_errors(folder: Path) -> Iterator[None]:
    """Raise an OSError about the data folder as an EmbeddedServerError of one line."""
    try:
        yield
    except OSError as error:
        raise EmbeddedServerError(
            f"the data folder {folder} cannot be used: {error.strerror or error} "
            "(set DATA_DIR to a folder you can write)"
        ) from None
