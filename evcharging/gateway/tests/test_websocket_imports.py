"""The WebSocket server is a program of its own: it could be moved out of this project as it is."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from evcharging.gateway import websocket

PACKAGE = Path(websocket.__file__).parent
LIBRARIES = {"twisted", "daphne", "autobahn", "uvloop"}


def imported(path: Path) -> set[str]:
    """Return every module that a file imports, within functions and for type checking too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, path
            names.add(node.module or "")
    return names


def test_modules_import_the_standard_library_four_libraries_and_one_another():
    paths = list(PACKAGE.glob("*.py"))
    assert len(paths) > 5
    foreign = {
        (path.name, name)
        for path in paths
        for name in imported(path)
        if name.partition(".")[0] not in LIBRARIES | sys.stdlib_module_names
        and not name.startswith("evcharging.gateway.websocket")
    }
    assert foreign == set()


@pytest.mark.live
def test_server_is_imported_without_django_and_the_rest_of_the_project():
    code = """
import sys
import evcharging.gateway.websocket.server
print(*sorted(name for name in sys.modules if name.startswith(("evcharging", "django", "channels", "ocpp"))))
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    own = [f"evcharging.gateway.websocket.{path.stem}" for path in PACKAGE.glob("*.py") if path.stem != "__init__"]
    assert shown.split() == sorted(["evcharging", "evcharging.gateway", "evcharging.gateway.websocket", *own])
