"""What a station says of itself, and who asks something of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


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
