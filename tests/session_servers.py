"""pytest plugin: one PostgreSQL and one Valkey per session, in a temporary folder, shared by xdist's workers.

Loaded by `-p` before Django's settings are read, because it sets the environment that they read.
"""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from evcharging.embedded import EmbeddedServers

_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
_FOLDER = "EVCHARGING_TEST_DATA_DIR"

if not _WORKER:
    os.environ[_FOLDER] = tempfile.mkdtemp(prefix="evcharging-test-")
    os.chmod(os.environ[_FOLDER], 0o711)  # PostgreSQL, which is not root, must get in
DATA_DIR = Path(os.environ[_FOLDER])

_given_database = os.environ.get("TEST_DATABASE_URL", "")
servers = EmbeddedServers(DATA_DIR, postgres=not _given_database)

#: Each worker's Valkey databases, the first for the tests' own process, the others for the servers they start;
#: the sessions of several pytest runs have servers of their own.
_WORKER_NUMBER = int(_WORKER.removeprefix("gw") or 0) % 8
REDIS_DATABASES = range(8 * _WORKER_NUMBER, 8 * _WORKER_NUMBER + 8)

for _name in list(os.environ):
    if _name.startswith(("OCPP_", "LOG_")):
        del os.environ[_name]
os.environ.update(
    DATA_DIR=str(DATA_DIR),
    DATABASE_URL=_given_database or servers.postgres_url(),
    REDIS_URL=servers.valkey.url(REDIS_DATABASES[0]),
    LOG_FORMAT="text",
)


def pytest_sessionstart(session: pytest.Session) -> None:
    servers.acquire()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    servers.release()
    if not _WORKER:
        shutil.rmtree(DATA_DIR, ignore_errors=True)
