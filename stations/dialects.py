"""What a protocol version is for the domain: how it says our operations, and how it reads what stations answer.

The gateway registers a dialect per version that it speaks; nothing here or above knows an Action or its payload.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from stations.operations import Operation, RawFrame


class Frame(NamedTuple):
    """What a CALL carries: its Action and its payload, in the words of one version."""

    action: str
    payload: dict[str, Any]


class FrameProblem(NamedTuple):
    """What is wrong with a frame; `field` is a path in its payload, "action" for the Action itself."""

    field: str
    message: str


class Unsayable(Exception):
    """The version has no words for the operation, or for some of its arguments; the text says which."""


class Verdict(StrEnum):
    """What a station's answer means, whatever its version calls it."""

    ACCEPTED = "accepted"
    SCHEDULED = "scheduled"
    AFTER_REBOOT = "after_reboot"
    REJECTED = "rejected"
    NOT_SUPPORTED = "not_supported"
    NOT_FOUND = "not_found"
    OUT_OF_STEP = "out_of_step"
    """It has another local list than the one that was to be changed."""
    UNKNOWN = "unknown"
    """The answer says nothing that the version knows."""


class Limit(StrEnum):
    """What a station says of its abilities in its configuration."""

    CONFIGURATION_KEYS = "configuration_keys"
    """Keys of one ReadConfiguration."""
    LOCAL_LIST_TAGS = "local_list_tags"
    LOCAL_LIST_PART = "local_list_part"
    """Tags of one SendLocalList."""
    PROFILE_STACK_LEVEL = "profile_stack_level"
    PROFILE_PERIODS = "profile_periods"
    PROFILE_UNITS = "profile_units"


class Reading(NamedTuple):
    """An answer as the domain reads it. `result`: what it tells in words of the domain, None for nothing."""

    verdict: Verdict
    is_yes: bool
    result: dict[str, Any] | None = None


class Dialect(Protocol):
    """One protocol version. All is pure: no clock, no database."""

    version: str
    """As in Sec-WebSocket-Protocol."""
    title: str
    standard_keys: Sequence[str]
    """Configuration keys that are asked for one by one of stations that cannot be asked for everything."""
    limit_keys: Mapping[Limit, str]
    max_id_tag: int
    """Characters of an id tag that fit into a frame."""

    def actions(self) -> Sequence[str]:
        """Return the Actions that operations are said with, sorted."""

    def frame(self, operation: Operation | RawFrame) -> Frame:
        """Return the frame that says an operation, or a raw one of this very version.

        :raises Unsayable:
        """

    def operation(self, action: str, payload: Mapping[str, Any]) -> Operation | None:
        """Return the operation that a frame of this version says; None where only a RawFrame can say it."""

    def operation_of(self, action: str) -> type[Operation] | None:
        """Return the operation that an Action says, whatever its payload."""

    def problem(self, frame: Frame) -> FrameProblem | None:
        """Return what the version's schema says against a frame."""

    def reading(self, action: str, status: str, response: Any) -> Reading:
        """Return what a CALLRESULT means; `status` is its status word, put right, "" for none."""

    def secret_member(self, frame: Frame) -> str | None:
        """Return the member of the payload whose value is a secret, None where there is none."""

    def secret_problem(self, secret: object) -> str:
        """Return what is wrong with a new password of a station, "" for nothing."""

    def without_secrets(self, action: str, response: Any) -> Any:
        """Return a response as it may be kept."""

    def value_kinds(self, action: str) -> Mapping[str, str]:
        """Return the JSON types of a payload's members: string, integer, array …"""


_dialects: dict[str, Dialect] = {}


def register_dialect(dialect: Dialect) -> None:
    """Make a version known; the first one is what stations speak that have never connected."""
    _dialects[dialect.version] = dialect


def dialect_of(version: str) -> Dialect:
    """Return the dialect of a version, that of the first one for "" and for one that is not spoken any more."""
    found = _dialects.get(version)
    return found if found is not None else next(iter(_dialects.values()))


def versions() -> list[str]:
    """Return the versions that are spoken, the first one first."""
    return list(_dialects)
