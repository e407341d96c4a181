"""What a station says of itself, how its messages came, and who asks something of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from stations.timing import EffectiveTime, effective_time


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asks for something, through which interface (models.CommandVia), when, and why.

    `waits_s`: how long a command may wait for its station to connect, in seconds; 0: not at all.
    """

    requested_by: str
    via: str
    now: datetime
    reason: str = ""
    waits_s: float = 0


class Received(NamedTuple):
    """By which connection of which station a message came, and when.

    `epoch` is the connection's, `clock_drift_s` the drift that it has measured by now, None for not yet.
    `is_station_accepted` says what the station's registration status was.
    """

    station_id: int
    epoch: int
    received_at: datetime
    clock_drift_s: float | None
    is_station_accepted: bool = True

    def effective_time(self, reported_at: datetime | None) -> EffectiveTime:
        """Return the time that counts for what the message says of this time."""
        return effective_time(reported_at=reported_at, received_at=self.received_at, clock_drift_s=self.clock_drift_s)


class BootReport(NamedTuple):
    """One BootNotification (OCPP 1.6 §6.3); texts of at most 255 characters, "" where absent."""

    vendor: str
    model: str
    charge_point_serial_number: str
    charge_box_serial_number: str
    firmware_version: str
    iccid: str
    imsi: str
    meter_type: str
    meter_serial_number: str


class DataTransferReport(NamedTuple):
    """One DataTransfer (OCPP 1.6 §6.15); `data` is text, JSON text where the station sent JSON. "" where absent."""

    vendor_id: str
    message_id: str
    data: str


class ProgressReport(NamedTuple):
    """One progress notification of firmware, diagnostics or logs; `kind` is its Action.

    `status` is the station's word, known or not. `request_id` is within int8, None where absent.
    """

    kind: str
    status: str
    request_id: int | None


class SecurityEventReport(NamedTuple):
    """One SecurityEventNotification (security white paper); `reported_at` is None where absent or unreadable."""

    type: str
    reported_at: datetime | None
    tech_info: str


class SignCertificateReport(NamedTuple):
    """One SignCertificate (security white paper): a certificate signing request in PEM."""

    csr: str
