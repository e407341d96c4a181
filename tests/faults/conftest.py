"""One whole system for all fault tests; each finds its database empty."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.used_folders import fill_as_used
from tests.support.whole_system import WholeSystem


@pytest.fixture(scope="session")
def _whole_system() -> Iterator[WholeSystem]:
    folder = Path(tempfile.mkdtemp(prefix="evc-"))
    folder.chmod(0o711)
    running = WholeSystem(fill_as_used(folder))
    yield running
    running.clean_up()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def system(_whole_system: WholeSystem) -> WholeSystem:
    """The system, running, with usual settings and no data but the tag TAG."""
    return _whole_system.start_with()
