"""Stations, what they tell about themselves, and what they are told to do."""

from stations.models.commands import (
    UNFINISHED,
    Command,
    CommandBatch,
    CommandBatchItem,
    CommandStatus,
    CommandVia,
    ExpectedEffect,
)
from stations.models.configuration import ConfigurationKey
from stations.models.records import (
    Boot,
    CertificateRequest,
    Deviation,
    Notice,
    NoticeKind,
    RefusalReason,
    RefusedConnection,
    stale_before,
)
from stations.models.station import (
    IdTagTransform,
    RegistrationStatus,
    Station,
    StationQuerySet,
    validate_time_zone,
)

__all__ = [
    "UNFINISHED",
    "Boot",
    "CertificateRequest",
    "Command",
    "CommandBatch",
    "CommandBatchItem",
    "CommandStatus",
    "CommandVia",
    "ConfigurationKey",
    "Deviation",
    "ExpectedEffect",
    "IdTagTransform",
    "Notice",
    "NoticeKind",
    "RefusalReason",
    "RefusedConnection",
    "RegistrationStatus",
    "Station",
    "StationQuerySet",
    "stale_before",
    "validate_time_zone",
]
