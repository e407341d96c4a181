"""Outside of the gateway, the simulator and the API's own words, no code knows the words of OCPP 1.6."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evcharging.ocpp16_schemas import CHARGER_INITIATED, CSMS_INITIATED, SCHEMAS

ROOT = Path(__file__).resolve().parent.parent
APPS = ("stations", "connectors", "id_tags", "transactions", "meter", "status_notifications", "evcharging")
LEFT_OUT = (
    "evcharging/gateway/",
    "evcharging/simulator/",
    "evcharging/api/",
    "evcharging/ocpp16_schemas.py",
    "evcharging/logs/masking.py",  # masks tags in the text of frames, whoever logs it
)
ACTIONS = CHARGER_INITIATED | CSMS_INITIATED


def _members(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for part in schema.values():
            yield from _members(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _members(part)


MEMBERS = {name for schema in SCHEMAS.values() for name in _members(schema) if name != name.lower()}
"""Members of payloads that nothing else is called: transactionId is one, status is not."""


def modules() -> list[Path]:
    found = []
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            parts = path.relative_to(ROOT).parts
            if not name.startswith(LEFT_OUT) and not {"tests", "migrations", "api"} & set(parts):
                found.append(path)
    return found


def test_modules_of_the_domain_are_looked_at():
    names = {path.relative_to(ROOT).as_posix() for path in modules()}
    assert {
        "stations/services/commands.py",
        "transactions/services/start.py",
        "id_tags/services/local_lists.py",
    } <= names
    assert {"transactionId", "connectorId", "idTag", "csChargingProfiles", "requestedMessage"} <= MEMBERS


def test_no_code_reads_a_member_of_a_payload():
    found = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and node.value in MEMBERS:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.value}")
    assert found == []


def _decisive(tree: ast.AST) -> Iterator[ast.Constant]:
    """Constants that something is decided by: compared, looked up, or handed over as an action."""
    for node in ast.walk(tree):
        parts: list[Any] = []
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.Dict):
            parts = [key for key in node.keys if key is not None]
        elif isinstance(node, ast.Subscript):
            parts = [node.slice]
        elif (isinstance(node, ast.keyword) and node.arg in ("action", "operation", "kind")) or isinstance(
            node, ast.MatchValue
        ):
            parts = [node.value]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "pop"):
            parts = node.args[:1]
        for part in parts:
            inner = part.elts if isinstance(part, ast.Tuple | ast.Set | ast.List) else [part]
            yield from (each for each in inner if isinstance(each, ast.Constant))


def test_no_code_decides_by_an_action():
    found = []
    for path in modules():
        for node in _decisive(ast.parse(path.read_text())):
            if node.value in ACTIONS:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.value}")
    assert found == []
