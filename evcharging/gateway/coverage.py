"""docs/ocpp-coverage.md, made from the tables in the code: `manage.py ocpp_coverage > docs/ocpp-coverage.md`."""

import inspect
import re
from pathlib import Path

from django.conf import settings

from evcharging.gateway.handler import Handler
from evcharging.gateway.ocpp16.handlers import HANDLERS
from evcharging.gateway.ocpp16.operation_tables import SAID, Said

HEAD = """\
# OCPP coverage

Generated from the handler table and the table of operations by `python manage.py ocpp_coverage`; a test holds it to
the code. The tests are real frames on both sides; of many, those that have most of them.

## OCPP 1.6J and its security extension: what a charger may send

| Action | what happens | repeated frame | shown by |
|---|---|---|---|
"""
COMMANDS = """
## OCPP 1.6J and its security extension: what the central system may send

Each from the back office, the API and the shell, as a durable, audited row. "yes" are the words of an answer that
count as success.

| Action | source | what it does | yes | sent twice | shown by |
|---|---|---|---|---|---|
"""
TESTS = Path("tests") / "cases"
MAX_SHOWN = 3
CALL = r'(?:call|result)\(\s*"{action}"|\[2,\s*"[^"]*",\s*"{action}"'
"""A charger in a test sends it."""
ROW = r'\(\s*"{action}",'
"""A table of a test has it; in which direction it goes is told by the Action, if it goes in one."""
NAMED = r'(?<!\()"{action}"'
BOTH_WAYS = set(HANDLERS) & {said.action for said in SAID}


def coverage() -> str:
    """Return the page as Markdown."""
    tests = _tests()
    received = "".join(_received(action, handler, tests) for action, handler in sorted(HANDLERS.items()))
    sent = "".join(_sent(said, tests) for said in sorted(SAID, key=lambda each: each.action))
    return HEAD + received + COMMANDS + sent


def _received(action: str, handler: Handler, tests: dict[str, str]) -> str:
    text = " ".join((inspect.getdoc(handler.handle) or "").split())
    repeated = "answered from memory" if handler.is_remembered else "handled again"
    if handler.is_queued:
        repeated = "answered from memory on a new connection, else found by its content"
    shown = _shown(action, CALL if action in BOTH_WAYS else f"{CALL}|{ROW}", tests)
    return f"| {action} | {text} | {repeated} | {shown} |\n"


def _sent(said: Said, tests: dict[str, str]) -> str:
    operation = said.operation
    words = ", ".join(sorted(said.yes)) or "any answer"
    twice = "harmless" if operation.is_repeatable else "never"
    shown = _shown(said.action, NAMED if said.action in BOTH_WAYS else f"{NAMED}|{ROW}", tests)
    source = said.source or operation.source
    return f"| {said.action} | {source} | {operation.purpose} | {words} | {twice} | {shown} |\n"


def _shown(action: str, pattern: str, tests: dict[str, str]) -> str:
    """Return links to the modules with most matches."""
    counts = {name: len(re.findall(pattern.format(action=action), text)) for name, text in tests.items()}
    most = sorted((name for name, count in counts.items() if count), key=lambda name: (-counts[name], name))
    return ", ".join(f"[{name}](../{TESTS}/{name})" for name in most[:MAX_SHOWN])


def _tests() -> dict[str, str]:
    """Return the modules of cases; those of bad input send what is not to be sent, and are in folders below."""
    return {path.name: path.read_text() for path in sorted((settings.BASE_DIR / TESTS).glob("test_*.py"))}
