"""What a station says of a transaction."""

from datetime import datetime
from typing import Any, NamedTuple



class StartReport(NamedTuple):
    connector_id: int
    id_tag: str
    meter_start: int | None
    meter_start_raw: str | None
    timestamp_raw: str | None
    reported_at: datetime | None
    reservation_id: int | None


class StopReport(NamedTuple):
    transaction_id: int | None
    transaction_ref: str
    id_tag: str | None
    meter_stop: int | None
    timestamp_raw: str | None
    reported_at: datetime | None
    reason: str
    transaction_data: tuple[Any, ...]
    content_hash: bytes
