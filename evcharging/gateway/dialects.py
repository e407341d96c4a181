"""The protocol versions that this gateway speaks; each is one line here and one folder beside it."""

from collections.abc import Sequence

from evcharging.gateway.dialect import Dialect
from evcharging.gateway.ocpp16.dialect import OCPP16
from stations.dialects import register_dialect

DIALECTS: dict[str, Dialect] = {dialect.version: dialect for dialect in (OCPP16,)}


def register_dialects() -> None:
    """Make the versions known to the domain; once, when the apps are ready."""
    for dialect in DIALECTS.values():
        register_dialect(dialect.operations)


def agreed_version(offered: Sequence[str]) -> str:
    """Return the first subprotocol of the station's list that we speak, "" for none (RFC 6455 §4.2.2)."""
    return next((name for name in offered if name in DIALECTS), "")


def connection_dialect(version: str) -> Dialect:
    """Return the dialect of a version; a station may be assumed to speak one that is gone, then the first one."""
    return DIALECTS.get(version) or next(iter(DIALECTS.values()))


def own_spelling(dialect: Dialect, offered: Sequence[str]) -> str | None:
    """Return what a station that is assumed to speak a version is answered: its own spelling, or no header at all."""
    return next((name for name in offered if name.lower() in dialect.aliases), None)
