"""docs/ocpp-coverage.md, made from the handler table: `python manage.py ocpp_coverage > docs/ocpp-coverage.md`."""

import inspect

from evcharging import ocpp16_schemas as schemas
from evcharging.gateway.ocpp16.handlers import HANDLERS

HEAD = """\
# OCPP coverage

Generated from the handler table by `python manage.py ocpp_coverage`; a test holds it to the code.

## OCPP 1.6J and its security extension: what a charger may send

| Action | what happens | repeated frame |
|---|---|---|
"""
COMMANDS = """
## OCPP 1.6J and its security extension: what the central system may send

Not yet sent. A charger that sends one of these itself is answered NotSupported:

"""


def coverage() -> str:
    """Return the page as Markdown."""
    rows = []
    for action, handler in sorted(HANDLERS.items()):
        text = " ".join((inspect.getdoc(handler.handle) or "").split())
        repeated = "answered from memory" if handler.is_remembered else "handled again"
        rows.append(f"| {action} | {text} | {repeated} |\n")
    commands = ", ".join(sorted(schemas.CSMS_INITIATED - set(HANDLERS)))
    return HEAD + "".join(rows) + COMMANDS + commands + ".\n"
