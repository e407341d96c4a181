"""The embedded PostgreSQL and Valkey: started for the first process that needs them, stopped after the last.

Every process that uses a data folder's servers holds a shared lock on one file; who leaves and can make it an
exclusive one is the last, and stops them. The kernel drops the lock of a process that is killed, so there are no
handles to prune. A second lock orders starts and stops. Nothing outside the data folder is changed, but for a private
folder for the sockets where the data folder's path is too long for them.
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

from evcharging.atomic_files import write_private_file
from evcharging.embedded.postgres import USER, PostgresServer
from evcharging.embedded.process import EmbeddedServerError, ServerProcess
from evcharging.embedded.valkey import ValkeyServer

__all__ = ["USER", "EmbeddedServerError", "EmbeddedServers", "EmbeddedServersInUse"]

logger = logging.getLogger(__name__)

#: sun_path has 104 bytes on the smallest system we know; the longest name in the folder is /.s.PGSQL.5432.
_SOCKET_DIR_BYTES = 85
#: Characters that libpq, PostgreSQL's list of socket folders and valkey.conf all read as themselves.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._+-]+")
_SUPERVISE_S = 0.5


class EmbeddedServersInUse(EmbeddedServerError):
    """Another process uses servers that were wanted for one alone."""


class EmbeddedServers:
    """The servers of one data folder.

    :raises EmbeddedServerError: from every method that touches the folder, with one line that says what is wrong.
    """

    def __init__(self, data_dir: Path, *, postgres: bool = True, valkey: bool = True) -> None:
        self.folder = data_dir.resolve() / "embedded"
        self._users: int | None = None
        #: After its release() a process starts nothing by accident, as a late connection would.
        self.is_released = False
        self._supervisor: threading.Thread | None = None
        self._stopping = threading.Event()
        self._wanted = (postgres, valkey)
        self._servers: tuple[PostgresServer, ValkeyServer] | None = None

    # Addresses: known before anything runs, the same at every start.

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
            with _one_line(self.folder):
                user = self._server_user()
                socket_dir = self._socket_dir(user)
                self._servers = (
                    PostgresServer(
                        self.folder / "postgres",
                        socket_dir=socket_dir,
                        password_file=self.folder / "postgres.password",
                        user=user,
                        give_up=self._stopping,
                    ),
                    ValkeyServer(
                        self.folder / "valkey",
                        socket_dir=socket_dir,
                        password_file=self.folder / "valkey.password",
                        user=user,
                        give_up=self._stopping,
                    ),
                )
        return self._servers

    def _wanted_servers(self) -> list[ServerProcess]:
        return [server for server, wanted in zip(self._both(), self._wanted, strict=True) if wanted]

    def _server_user(self) -> tuple[int, int] | None:
        """Return who the servers run as if we are root, as PostgreSQL refuses to: the data's owner, else nobody."""
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
        """Return the folder of the sockets, which only the servers' user can enter."""
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

    # Life

    def acquire(self) -> None:
        """Start what does not run and keep it running for this process until release(); a second call does nothing."""
        if self._users is not None or not any(self._wanted):
            return
        self._both()  # may itself need the lock
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
        """Run the servers for this process alone, and release() them at the end; who wants them meanwhile waits.

        :raises EmbeddedServersInUse: another process uses them, be it a server without a single connection.
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
            # Who waits for it holds the other lock, which release() needs.
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            self.release()

    def abandon_start(self) -> None:
        """Make an acquire() that waits for a server, in another thread, give up with EmbeddedServerError."""
        self._stopping.set()

    def release(self) -> None:
        """Stop the servers if no other process uses them, and return when they are down."""
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
        """Restart a server that died, from a thread of its own, at the same address: clients only reconnect."""
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
                            logger.error("%s died and is started again", server.name)
                            server.ensure_started()
                            logger.info("%s runs again", server.name)
            except (EmbeddedServerError, OSError) as error:
                if not self._stopping.is_set():
                    logger.error("an embedded server cannot be started again, the next try is in 10 s: %s", error)
                pause = 10

    def _start(self) -> None:
        with _one_line(self.folder):
            socket_dir = self.postgres.socket_dir
            self.postgres.make_private_folder(socket_dir)
            for server in self._wanted_servers():
                server.ensure_started()
            if self._wanted[0]:
                self._create_database()

    def _create_database(self) -> None:
        import psycopg  # only the process that starts the server needs it

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
        """Stop what a killed process left running; return False if somebody uses the servers."""
        self._both()
        with self._lock():
            return self._leave(self._open("users"))

    def _leave(self, descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False  # others use them
        else:
            for server in reversed(self._wanted_servers()):
                server.stop()
            return True
        finally:
            os.close(descriptor)

    def _open(self, name: str) -> int:
        with _one_line(self.folder):
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
def _one_line(folder: Path) -> Iterator[None]:
    """Turn an OSError about the data folder into one line."""
    try:
        yield
    except OSError as error:
        raise EmbeddedServerError(
            f"the data folder {folder} cannot be used: {error.strerror or error} "
            "(set DATA_DIR to a folder you can write)"
        ) from None
