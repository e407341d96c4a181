"""What the central system may ask of a station, in words of the domain: one class per operation, its arguments typed.

An app declares the operations it owns in its own operations.py. A dialect (stations/dialects.py) puts an operation
into the frame of one protocol version, so that a queued command survives a station's change of version.
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple, TypeVar

import msgspec

PENDING_MAY = "to be configured and triggered"
Instant = str
"""An instant as ISO 8601 text, as OCPP writes it; without an offset it is UTC."""


class BadArguments(ValueError):
    """Arguments that are none of their operation's; `path` says where, as `profile.schedule.periods[0].limit`."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class Arguments(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Typed arguments, or a part of them; None stands for what is not said, and is left out of their JSON."""


class Operation(Arguments, frozen=True):
    """One operation with its arguments.

    `is_for_pending`: may be sent to a station that waits for acceptance (OCPP 1.6 §4.2). `is_repeatable`: sent twice
    it does no more than once. `is_for_many`: means the same for many stations. `effect_within_s`: how long what an
    accepted one leads to may take (s); 0 where the answer is the end. `without_effect`: the note if it never came.
    """

    name: ClassVar[str] = ""
    source: ClassVar[str] = ""
    purpose: ClassVar[str] = ""
    is_for_pending: ClassVar[bool] = False
    is_repeatable: ClassVar[bool] = True
    is_for_many: ClassVar[bool] = True
    effect_within_s: ClassVar[int] = 0
    without_effect: ClassVar[str] = "nothing more was heard of it"

    def to_json(self) -> dict[str, Any]:
        """Return the arguments as the row keeps them."""
        arguments: dict[str, Any] = msgspec.to_builtins(self)
        return arguments


class RawFrame(NamedTuple):
    """A frame in the words of one protocol version that no operation says: staff or a program insist on it."""

    version: str
    action: str
    payload: Mapping[str, Any]


OPERATIONS: dict[str, type[Operation]] = {}
"""By name; complete once every app's operations are imported (each app does so when it is ready)."""

Kind = TypeVar("Kind", bound=type[Operation])


def operation(kind: Kind) -> Kind:
    """Declare an operation (a decorator)."""
    OPERATIONS[kind.name] = kind
    return kind


def read_operation(name: str, arguments: Mapping[str, Any]) -> Operation:
    """Return the operation of this name with these arguments, as the row or a program has them.

    :raises BadArguments: there is no such operation, or they are not its arguments.
    """
    kind = OPERATIONS.get(name)
    if kind is None:
        raise BadArguments(f"there is no operation {name[:60]}", "operation")
    try:
        return msgspec.convert(arguments, kind)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        raise BadArguments(message.replace("`", "'"), path.rstrip("`").lstrip(".")) from None


def words_of(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the arguments that were given, by name."""
    for name in value.__struct_fields__:
        if getattr(value, name) is not None:
            yield name, getattr(value, name)


@operation
class Reset(Operation, frozen=True):
    """`is_immediate`: like a power cut; else transactions are ended in order first."""

    name = "reset"
    source = "OCPP 1.6 §5.14"
    purpose = "Restart the station."
    is_repeatable = False
    effect_within_s = 900
    without_effect = "the station did not come back"

    is_immediate: bool


@operation
class ClearTagCache(Operation, frozen=True):
    name = "clear_tag_cache"
    source = "OCPP 1.6 §5.4"
    purpose = "Make the station forget the tags it has seen."


@operation
class ReadConfiguration(Operation, frozen=True):
    """`keys`: by their names; None or none: all that the station has."""

    name = "read_configuration"
    source = "OCPP 1.6 §5.8"
    purpose = "Read configuration keys."
    is_for_pending = True

    keys: list[str] | None = None


@operation
class ChangeConfiguration(Operation, frozen=True):
    name = "change_configuration"
    source = "OCPP 1.6 §5.3"
    purpose = "Set one configuration key."
    is_for_pending = True

    key: str
    value: str


@operation
class TriggerMessage(Operation, frozen=True):
    """`message`: one of MESSAGES. `is_extended`: by the security extension's own Action, where a version has two."""

    name = "trigger_message"
    source = "OCPP 1.6 §5.17"
    purpose = "Make the station send a message now."
    is_for_pending = True

    message: str
    connector_id: int | None = None
    is_extended: bool = False


BOOT, HEARTBEAT, STATUS, METER_VALUES = "boot", "heartbeat", "status", "meter_values"
DIAGNOSTICS_STATUS, FIRMWARE_STATUS, LOG_STATUS = "diagnostics_status", "firmware_status", "log_status"
SIGN_CERTIFICATE = "sign_certificate"
MESSAGES = (
    BOOT, HEARTBEAT, STATUS, METER_VALUES, DIAGNOSTICS_STATUS, FIRMWARE_STATUS, LOG_STATUS, SIGN_CERTIFICATE,
)  # fmt: skip


@operation
class TransferData(Operation, frozen=True):
    name = "transfer_data"
    source = "OCPP 1.6 §5.6"
    purpose = "Send a vendor's own message."
    is_repeatable = False

    vendor_id: str
    message_id: str | None = None
    data: str | None = None
