"""Data folders that a server has used once, for tests that break whole systems and not their first start."""

import fcntl
import shutil
import subprocess
from pathlib import Path

from evcharging.embedded.servers import EmbeddedServers
from tests.support.live_server import LiveServer
from tests.support.session_servers import DATA_DIR

EMBEDDED = {"DATABASE_URL": "", "REDIS_URL": ""}
"""Environment of a server that brings its PostgreSQL and Valkey along."""


def fill_as_used(folder: Path) -> Path:
    """Fill an empty DATA_DIR with what the first start of a server leaves: migrated, one admin. Return it.

    The session makes it once, which takes several seconds, and copies it.
    """
    used = DATA_DIR / "used"
    with (DATA_DIR / "used.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not used.exists():
            fresh = DATA_DIR / "fresh"
            fresh.mkdir(mode=0o711)
            server = LiveServer(data_dir=fresh, env=EMBEDDED)
            assert server.start().terminate() == 0
            EmbeddedServers(fresh).stop_if_unused()
            server.log.unlink()
            fresh.rename(used)
    subprocess.run(["cp", "--archive", f"{used}/.", str(folder)], check=True)
    shutil.rmtree(folder / "embedded" / "run", ignore_errors=True)
    (folder / "embedded" / "socket_dir").unlink(missing_ok=True)
    return folder
