"""What a station says of a connector."""

from datetime import datetime
from typing import NamedTuple


class StatusReport(NamedTuple):
    """One StatusNotification (OCPP 1.6 §6.47).

    `connector_id` is 0..2^31-1; `status` is a word of OCPP's or any other, of at most 50 characters; `error_code` is
    one of OCPP's words. Texts are "" where absent. `reported_at` is aware UTC, None where absent or unreadable.
    """

    connector_id: int
    status: str
    error_code: str
    info: str
    vendor_id: str
    vendor_error_code: str
    reported_at: datetime | None
