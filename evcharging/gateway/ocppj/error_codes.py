"""The error codes of OCPP-J: the same faults, spelt otherwise in each protocol version."""

from typing import NamedTuple


class ErrorCodes(NamedTuple):
    """The words of one version for what can be wrong with a CALL."""

    not_implemented: str
    """No such Action in this version."""
    not_supported: str
    """An Action of this version that is not for the central system."""
    internal: str
    security: str
    formation: str
    """Not a readable CALL."""
    occurrence: str
    type: str
    property: str


OCPP16_CODES = ErrorCodes(
    "NotImplemented",
    "NotSupported",
    "InternalError",
    "SecurityError",
    "FormationViolation",
    "OccurenceConstraintViolation",
    "TypeConstraintViolation",
    "PropertyConstraintViolation",
)
"""OCPP-J 1.6 §4.2.3; the spelling is normative (errata)."""
