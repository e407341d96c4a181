"""What a station says of a connector."""

from datetime import datetime
from typing import NamedTuple


class StatusReport(NamedTuple):
    """One StatusNotification (OCPP 1.6 §6.47)."""

    connector_id: int
    status: str
    error_code: str
    info: str
    vendor_id: str
    vendor_error_code: str
    reported_at: datetime | None
