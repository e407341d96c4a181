"""Where tests lie (CONTRIBUTING, "Tests"), and how long a module may be."""

import ast
import os
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APPS = ("stations", "connectors", "id_tags", "transactions", "meter", "status_notifications")
HOMES = (*APPS, "evcharging", "evcharging/api", "evcharging/gateway", "evcharging/simulator", "bench")
"""Whose tests lie in their own tests/; an inner one's are not the outer one's."""

SUBJECTS = {"bench": {"pieces"}}
"""What a test may be named after that is no module."""

PROGRAMS = {"tests/faults/run.py"}
"""Modules among the tests that are none and are run by people."""

FOREIGN = {"var", "node_modules", "staticfiles"}
"""Folders that hold nothing of ours."""

MAX_LINES, MAX_TEST_LINES, MAX_MEDIAN = 400, 500, 100


def _modules(home: str) -> set[str]:
    """Return what a home's tests may be named after.

    Modules and packages by their own names; an app's admin/x.py and api/x.py are admin_x and api_x, because its
    services have the same names.
    """
    names = set()
    for path in (ROOT / home).rglob("*.py"):
        parts = path.relative_to(ROOT / home).with_suffix("").parts
        is_anothers = any(path.is_relative_to(ROOT / other) for other in HOMES if other.startswith(f"{home}/"))
        if is_anothers or {"tests", "migrations"}.intersection(parts):
            continue
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if len(parts) > 1 and parts[0] in ("admin", "api") and home in APPS:
            names.add(f"{parts[0]}_{parts[-1]}")
        elif parts:
            names |= set(parts)
    return names


def _is_about(name: str, modules: set[str]) -> bool:
    """Whether a test is named after a module, or after one and an aspect of it: `normalise_meter_values`."""
    words = name.split("_")
    beginnings = {"_".join(words[:count]) for count in range(1, len(words))} - {"admin", "api"}
    return name in modules or bool(beginnings & modules)


def _sources() -> list[str]:
    """Return every module of the repository, as paths from its root."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in FOREIGN and not name.startswith(".")]
        found += [Path(folder, name).relative_to(ROOT).as_posix() for name in names if name.endswith(".py")]
    return sorted(found)


def _is_test(path: str) -> bool:
    return "tests" in Path(path).parts or path == "conftest.py"


@pytest.mark.parametrize("home", HOMES)
def test_tests_are_named_after_modules(home: str) -> None:
    modules = _modules(home) | SUBJECTS.get(home, set())
    found = [path.stem.removeprefix("test_") for path in sorted((ROOT / home / "tests").rglob("test_*.py"))]
    assert found
    assert [name for name in found if not _is_about(name, modules)] == []


def test_name_that_is_no_modules_is_found() -> None:
    modules = _modules("transactions")
    assert _is_about("start", modules)
    assert _is_about("admin_orphans", modules)
    assert _is_about("reservations_concurrently", modules)
    assert not _is_about("plain", modules)
    assert not _is_about("admin_plain", modules)


def test_only_tests_lie_among_tests_and_none_in_support() -> None:
    paths = [Path(path) for path in _sources() if "tests" in Path(path).parts]
    support = ROOT / "tests" / "support"
    in_support = [path for path in paths if (ROOT / path).is_relative_to(support)]
    elsewhere = [path for path in paths if path not in in_support]
    assert [path for path in in_support if path.name.startswith(("test_", "conftest"))] == []
    names = ("test_", "conftest.py", "__init__.py")
    assert {path.as_posix() for path in elsewhere if not path.name.startswith(names)} == PROGRAMS


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_nothing_but_tests_imports_tests() -> None:
    others = [path for path in _sources() if not _is_test(path)]
    assert "manage.py" in others
    importing = {path: [name for name in _imports(ROOT / path) if "tests" in name.split(".")] for path in others}
    assert {path: names for path, names in importing.items() if names} == {}


def test_modules_are_short() -> None:
    lengths = {
        path: (ROOT / path).read_text().count("\n") for path in _sources() if "migrations" not in Path(path).parts
    }
    assert {path: lines for path, lines in lengths.items() if lines > MAX_LINES and not _is_test(path)} == {}
    assert {path: lines for path, lines in lengths.items() if lines > MAX_TEST_LINES} == {}
    modules = [lines for path, lines in lengths.items() if lines and not _is_test(path)]
    assert statistics.median(modules) < MAX_MEDIAN
