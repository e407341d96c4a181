"""pytest plugin: the marker `live`, of tests that start processes; `make test-fast` leaves them out.

A test is live if one of its fixtures starts processes, or if it says so. One that starts a process and is not, fails.
"""

import sys
from collections.abc import Generator

import pytest

STARTS_PROCESSES = {"start_server", "_template_database", "own_servers", "_whole_system", "site"}
"""The fixtures that do; whatever asks for them through another fixture does too."""

_EVENTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.exec", "os.system"}

_not_live = ""
"""Which test is running that must start no process."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if STARTS_PROCESSES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("live")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    global _not_live
    _not_live = "" if item.get_closest_marker("live") else item.nodeid
    try:
        return (yield)
    finally:
        _not_live = ""


def _refuse_processes(event: str, arguments: tuple[object, ...]) -> None:
    if _not_live and event in _EVENTS:
        raise AssertionError(f"{_not_live} starts a process ({event}): mark it with pytest.mark.live")


sys.addaudithook(_refuse_processes)
