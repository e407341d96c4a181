"""Run a command with TEST_DATABASE_URL of a TimescaleDB: that of TIMESCALE_URL, else one that is installed here.

    python scripts/timescale.py COMMAND ARGUMENT…
    python scripts/timescale.py --prepare

Here means Debian trixie's postgresql-17-timescaledb (the Apache edition) in a debootstrap root under var/timescale. It
needs root, Debian with its archive configured in apt, and a minute the first time; --prepare only does this.
"""

import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "var" / "timescale"
SUITE = "trixie"
PACKAGES = "postgresql-17,postgresql-17-timescaledb"
BIN = "/usr/lib/postgresql/17/bin"
START_S = 60

CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_preload_libraries = 'timescaledb'
timescaledb.telemetry_level = off
max_connections = 200
shared_buffers = 256MB
max_worker_processes = 32
timescaledb.max_background_workers = 16
max_wal_size = 2GB
jit = off
timezone = 'UTC'
"""


def main(command: list[str]) -> int:
    """Return the command's exit code."""
    given = os.environ.get("TIMESCALE_URL", "").strip()
    if given:
        return 0 if command == ["--prepare"] else _run(command, given)
    try:
        root = prepare_root()
        if command == ["--prepare"]:
            return 0
        with running_server(root) as url:
            return _run(command, url)
    except subprocess.CalledProcessError as error:
        sys.exit(f"error: {' '.join(map(str, error.cmd))} failed; or set TIMESCALE_URL")


def _run(command: list[str], url: str) -> int:
    return subprocess.run(command, env={**os.environ, "TEST_DATABASE_URL": url}, check=False).returncode


def prepare_root() -> Path:
    """Return the debootstrap root; an incomplete one is never left at its path."""
    root = FOLDER / SUITE
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if root.exists():
            return root
        if os.geteuid() != 0:
            sys.exit("error: installing a TimescaleDB needs root; or set TIMESCALE_URL")
        mirror = _debian_mirror()
        if shutil.which("debootstrap") is None:
            subprocess.run(["apt-get", "update", "--quiet"], check=True, stdout=subprocess.DEVNULL)
            install = "apt-get install -o DPkg::Lock::Timeout=120 --quiet --yes --no-install-recommends debootstrap"
            subprocess.run(
                install.split(),
                check=True,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            )
        print(f"preparing {SUITE} with {PACKAGES} in {root}, once", flush=True)
        started = time.monotonic()
        new = FOLDER / f"{SUITE}.new"
        shutil.rmtree(new, ignore_errors=True)
        log = FOLDER / "debootstrap.log"
        with log.open("wb") as output:
            result = subprocess.run(
                ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(new), mirror],
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if result.returncode != 0:
            lines = log.read_text(errors="replace").splitlines()
            sys.exit(f"error: debootstrap failed ({lines[-1] if lines else ''}); {log} says more")
        shutil.rmtree(new / "var/cache/apt", ignore_errors=True)
        new.rename(root)
        print(f"prepared in {time.monotonic() - started:.0f} s", flush=True)
    return root


def _debian_mirror() -> str:
    """Return the Debian archive in apt's configuration."""
    if shutil.which("apt-get") is None:
        sys.exit("error: installing a TimescaleDB needs Debian; or set TIMESCALE_URL")
    listing = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(COMPONENT)|$(REPO_URI)", "Identifier: Packages"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for line in listing.splitlines():
        origin, component, uri = line.split("|")
        if origin == "Debian" and component == "main" and "security" not in uri:
            return uri
    # apt knows origins only after its first update
    for line in listing.splitlines():
        _, component, uri = line.split("|")
        if component == "main" and uri.rstrip("/").endswith("/debian"):
            return uri
    sys.exit("error: apt has no Debian archive to install a TimescaleDB from; or set TIMESCALE_URL")


@contextmanager
def running_server(root: Path) -> Iterator[str]:
    """Run a new PostgreSQL in `root` on a free port of 127.0.0.1; delete its data afterwards."""
    name = f"evcharging-{secrets.token_hex(4)}"
    home = root / "var/lib/postgresql" / name
    data = f"/var/lib/postgresql/{name}/data"
    as_postgres = ["chroot", "--userspec=postgres:postgres", str(root)]
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    subprocess.run([*as_postgres, "mkdir", "-p", f"/var/lib/postgresql/{name}"], check=True, env=environment)
    password = secrets.token_urlsafe(24)
    server = None
    try:
        password_file = home / "password"
        password_file.write_text(password)
        password_file.chmod(0o644)
        subprocess.run(
            [*as_postgres, f"{BIN}/initdb", "-D", data, "-U", "evcharging", "--auth=scram-sha-256", "--encoding=UTF8"]
            + ["--pwfile", f"/var/lib/postgresql/{name}/password", "--locale=C.UTF-8", "--no-sync"],
            check=True,
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        password_file.unlink()
        port = _free_port()
        with (home / "data/postgresql.conf").open("a") as configuration:
            configuration.write(f"{CONFIGURATION}port = {port}\n")
        with (home / "log").open("wb") as log:
            server = subprocess.Popen(
                [*as_postgres, f"{BIN}/postgres", "-D", data],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _wait_until_ready(server, home)
        yield f"timescale://evcharging:{password}@127.0.0.1:{port}/postgres"
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)  # fast shutdown
            server.wait()
        shutil.rmtree(home, ignore_errors=True)


def _wait_until_ready(server: subprocess.Popen[bytes], home: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if (home / "data/postmaster.pid").read_text().splitlines()[7].strip() == "ready":
                return
        except (FileNotFoundError, IndexError):
            pass
        time.sleep(0.05)
    lines = (home / "log").read_text(errors="replace").splitlines()
    sys.exit(f"error: the prepared TimescaleDB did not start: {'; '.join(lines[-3:])}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
