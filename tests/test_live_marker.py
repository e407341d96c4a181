"""What `make test-fast` leaves out: tests that start processes, by their fixtures or because they say so."""

import os
import subprocess

import pytest


def test_process_is_refused_to_a_test_that_is_not_live() -> None:
    for start in (lambda: subprocess.run(["true"], check=True), lambda: os.spawnlp(os.P_WAIT, "true", "true")):
        with pytest.raises(
            AssertionError, match="test_process_is_refused_to_a_test_that_is_not_live starts a process"
        ):
            start()


@pytest.mark.live
def test_process_is_started_by_a_test_that_is_live() -> None:
    subprocess.run(["true"], check=True)


def test_test_is_live_by_a_fixture_that_starts_processes(request: pytest.FixtureRequest) -> None:
    by_fixture = [item for item in request.session.items if "start_server" in getattr(item, "fixturenames", ())]
    assert all(item.get_closest_marker("live") for item in by_fixture)
    assert request.node.get_closest_marker("live") is None
