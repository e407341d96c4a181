"""The WebSocket server in a process of its own, with tests/support/echo_app.py behind it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.raw_client import (
    Server,
    running,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all that does not end it, with its defaults; it must be alive and unimpressed at the end."""
    with running(tmp_path_factory.mktemp("server") / "log") as running_server:
        yield running_server
        assert running_server.process.poll() is None


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[Server]:
    """A server whose time limits are short."""
    names = ["handshake_timeout", "connect_timeout", "send_timeout"]
    options = [f"websocket_{name}=0.5" for name in names]
    with running(tmp_path / "log", *options, "application_close_timeout=0.5") as running_server:
        yield running_server
