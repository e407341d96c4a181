"""The pages under docs/ say what the code does, and the database what the models say."""

import ast
import importlib
import re
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from django.apps import apps
from django.db import connection
from django.dispatch import Signal

from evcharging.gateway.coverage import coverage
from evcharging.gateway.ocpp16.handlers import HANDLERS
from evcharging.gateway.ocpp16.operation_tables import SAID
from stations.operations import OPERATIONS

ROOT = Path(__file__).resolve().parent.parent
OURS = ("stations", "connectors", "id_tags", "transactions", "meter", "status_notifications")


def _declared() -> dict[str, Signal]:
    found: dict[str, Signal] = {}
    for app in OURS:
        if (ROOT / app / "signals.py").exists():
            module = importlib.import_module(f"{app}.signals")
            found |= {
                f"{app}.signals.{name}": value for name, value in vars(module).items() if isinstance(value, Signal)
            }
    return found


def _receivers(signal: Signal) -> list[str]:
    live = [receiver() for _, receiver, *_ in signal.receivers]
    return sorted(f"{receiver.__module__}.{receiver.__name__}" for receiver in live if receiver is not None)


def _ways(name: str) -> set[str]:
    """How the code sends a signal: every emit(…) and publish(…) that names it."""
    short = name.rsplit(".", 1)[1]
    found = set()
    for app in OURS:
        for path in (ROOT / app).rglob("*.py"):
            found |= set(re.findall(rf"\b(emit|publish)\(\s*{short}\b", path.read_text()))
    return found


def test_signals_page_lists_every_signal_with_its_way_and_receivers():
    assert apps.ready
    rows = re.findall(r"^\| (\S+\.signals\.\S+) \| (\w+) \| (.+) \|$", (ROOT / "docs/signals.md").read_text(), re.M)
    documented = {name: ({way}, sorted(receivers.split(", "))) for name, way, receivers in rows}
    assert documented == {name: (_ways(name), _receivers(signal)) for name, signal in _declared().items()}


def test_signals_all_have_a_receiver():
    assert [name for name, signal in _declared().items() if not _receivers(signal)] == []


def test_coverage_page_is_what_the_handler_table_generates():
    assert (ROOT / "docs/ocpp-coverage.md").read_text() == coverage()


def _defined(path: Path, name: str) -> bool:
    """Whether a module defines a function, a class, or a method `Class.method`."""
    places: list[ast.AST] = [ast.parse(path.read_text())]
    for part in name.split("."):
        kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        places = [
            node
            for place in places
            for node in ast.iter_child_nodes(place)
            if isinstance(node, kinds) and node.name == part
        ]
    return bool(places)


def test_one_messages_way_has_at_most_twelve_steps_that_are_there():
    text = (ROOT / "docs/architecture.md").read_text()
    section = re.search(r"^## One message$(.*?)^## ", text, re.M | re.S)
    assert section is not None
    steps = re.findall(r"^(\d+)\. (.*?)(?=^\d+\. |\n\n)", section[1], re.M | re.S)
    assert [int(number) for number, _ in steps] == list(range(1, len(steps) + 1))
    assert 8 <= len(steps) <= 12
    places = [re.findall(r"`([\w/]+\.py):([\w.]+)`", step) for _, step in steps]
    assert [number for (number, _), named in zip(steps, places, strict=True) if not named] in ([], ["10"])
    assert [f"{path}:{name}" for named in places for path, name in named if not _defined(ROOT / path, name)] == []


def test_api_page_lists_every_operation_with_its_arguments():
    rows = re.findall(r"^\| ([a-z_]+) \| (.+) \|$", (ROOT / "docs/api.md").read_text(), re.M)
    told = {name: re.findall(r"(\[?)`(\w+)`", arguments) for name, arguments in rows if name in OPERATIONS}
    assert told == {
        name: [("" if field.required else "[", field.name) for field in msgspec.structs.fields(kind)]
        for name, kind in OPERATIONS.items()
    }


def test_coverage_has_no_empty_cell():
    rows = re.findall(r"^\| (\w+) \|(.*)\|$", coverage(), re.MULTILINE)
    actions = Counter(action for action, _ in rows)
    assert set(HANDLERS) <= set(actions)
    assert {said.action for said in SAID} <= set(actions)
    assert [action for action, cells in rows if not all(cell.strip() for cell in cells.split("|"))] == []


def test_decisions_have_their_five_parts():
    for path in sorted((ROOT / "docs/adr").glob("*.md")):
        text = path.read_text()
        assert re.findall(r"^(?:Status|## \w+)", text, re.M) == [
            "Status", "## Context", "## Decision", "## Consequences", "## Alternatives",
        ], path.name  # fmt: skip


@pytest.mark.django_db
def test_database_has_every_index_and_constraint_of_the_models():
    """A migration that alters a field can drop what another one made of the same column."""
    with connection.cursor() as cursor:
        for model in apps.get_models():
            stored = set(connection.introspection.get_constraints(cursor, model._meta.db_table))
            named = {each.name for each in (*model._meta.indexes, *model._meta.constraints)}
            assert named - stored == set(), model


def test_links_between_the_pages_lead_somewhere():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())]
    assert len(links) > 5
    assert [f"{page.name}: {link}" for page, link in links if not (page.parent / link).exists()] == []
