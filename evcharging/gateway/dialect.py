"""One protocol version as a connection speaks it, and the versions that this gateway speaks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from evcharging.gateway.handler import Handler
from evcharging.gateway.ocppj.error_codes import ErrorCodes
from evcharging.gateway.ocppj.frames import Frame
from evcharging.gateway.ocppj.normalise import Quirks, Received, SchemaError
from stations import dialects as domain


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a connection needs to know of its protocol version.

    `aliases`: other spellings of its subprotocol, lower case. `early_actions`: may be sent before the station is
    accepted; `transaction_actions`: billing data, kept of every station that was accepted once. `is_known`: an Action
    of this version, whoever sends it. `receive` reads a payload tolerantly; `response_error` is the schema of answers,
    ours and the charger's.
    """

    operations: domain.Dialect
    aliases: tuple[str, ...]
    handlers: Mapping[str, Handler]
    early_actions: frozenset[str]
    transaction_actions: frozenset[str]
    codes: ErrorCodes
    parse: Callable[[str], Frame]
    is_known: Callable[[str], bool]
    receive: Callable[[str, dict[str, Any], Quirks], Received]
    response_error: Callable[[str, Any], SchemaError | None]
    status_words: Callable[[str], frozenset[str]]
    commands: frozenset[str]
    """Actions that the central system may send."""

    @property
    def version(self) -> str:
        return self.operations.version
