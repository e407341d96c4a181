"""docs/ocpp-coverage.md, made from the tables in the code: `manage.py ocpp_coverage > docs/ocpp-coverage.md`."""

import inspect
import re
from pathlib import Path

from django.conf import settings

from evcharging.gateway.ocpp16.handlers import HANDLERS
from evcharging.gateway.ocpp16.operation_tables import SAID

HEAD = """\
# OCPP coverage

Generated from the handler table and the table of operations by `python manage.py ocpp_coverage`; a test holds it to
the code.

## OCPP 1.6J and its security extension: what a charger may send

| Action | what happens | repeated frame |
|---|---|---|
"""
COMMANDS = """
## OCPP 1.6J and its security extension: what the central system may send

Each from the back office, the API and the shell, as a durable, audited row. "yes" are the words of an answer that
count as success; the tests are real frames on both sides.

| Action | source | what it does | yes | sent twice | shown by |
|---|---|---|---|---|---|
"""
TESTS = Path("tests") / "cases"


def coverage() -> str:
    """Return the page as Markdown."""
    rows = []
    for action, handler in sorted(HANDLERS.items()):
        text = " ".join((inspect.getdoc(handler.handle) or "").split())
        repeated = "answered from memory" if handler.is_remembered else "handled again"
        if handler.is_queued:
            repeated = "answered from memory on a new connection, else found by its content"
        rows.append(f"| {action} | {text} | {repeated} |\n")
    tests = _tests()
    commands = []
    for said in sorted(SAID, key=lambda each: each.action):
        action, operation = said.action, said.operation
        words = ", ".join(sorted(said.yes)) or "any answer"
        twice = "harmless" if operation.is_repeatable else "never"
        shown = ", ".join(f"[{Path(name).name}](../{TESTS}/{name})" for name in tests.get(action, []))
        commands.append(
            f"| {action} | {said.source or operation.source} | {operation.purpose} | {words} | {twice} | {shown} |\n"
        )
    return HEAD + "".join(rows) + COMMANDS + "".join(commands)


def _tests() -> dict[str, list[str]]:
    """Return which case tests name each operation."""
    found: dict[str, list[str]] = {}
    for path in sorted((settings.BASE_DIR / TESTS).rglob("test_*.py")):
        text = path.read_text()
        for action in (said.action for said in SAID):
            if re.search(rf"\"{action}\"", text):
                found.setdefault(action, []).append(path.relative_to(settings.BASE_DIR / TESTS).as_posix())
    return found
