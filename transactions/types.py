"""What a station says of a transaction, and what it is answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from stations.types import Received


class StartReport(NamedTuple):
    """One StartTransaction (OCPP 1.6 §6.45).

    `connector_id` is 0..2^31-1, `meter_start` a register in Wh (evcharging.db.watt_hours). The `_raw` texts are the
    JSON scalars as sent (`123` and `"123"` differ), None where absent or null: they are the key that finds a resend.
    `reported_at` is aware UTC, None where absent or unreadable. `id_tag` is "" where the station gave none.
    """

    connector_id: int
    id_tag: str
    meter_start: Decimal | None
    meter_start_raw: str | None
    timestamp_raw: str | None
    reported_at: datetime | None
    reservation_id: int | None


class StopReport(NamedTuple):
    """One StopTransaction (OCPP 1.6 §6.49).

    `transaction_id` is a usable positive int4, else None; `transaction_ref` is what was reported, as text, "" for
    nothing. `id_tag` is None where absent or empty. `meter_stop` is in Wh. `reason` is a word of OCPP's or any other,
    of at most 50 characters. `transaction_data` holds readings (meter.types), passed on unopened. `content_hash` is 16
    bytes that stand for the payload as received.
    """

    transaction_id: int | None
    transaction_ref: str
    id_tag: str | None
    meter_stop: Decimal | None
    timestamp_raw: str | None
    reported_at: datetime | None
    reason: str
    transaction_data: tuple[Any, ...]
    content_hash: bytes


class StartMessage(NamedTuple):
    """A StartTransaction as one connection received it; the arguments of start_transaction()."""

    received: Received
    report: StartReport


class StopMessage(NamedTuple):
    """A StopTransaction as one connection received it; the arguments of stop_transaction()."""

    received: Received
    report: StopReport
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StartAnswer:
    """What a StartTransaction is answered.

    `is_cacheable`: the start's time is credible, so that an equal start is always a resend of this one.
    """

    transaction_id: int
    authorization: dict[str, str]
    is_resend: bool
    is_cacheable: bool


@dataclass(frozen=True, slots=True)
class StopAnswer:
    """What a StopTransaction is answered: an authorization only where the message named a tag (OCPP 1.6 §6.50)."""

    authorization: dict[str, str] | None
    transaction_id: int | None


class Started(NamedTuple):
    """A transaction that was stored for the first time."""

    pk: int
    station_id: int
    received_at: datetime


class Stopped(NamedTuple):
    """A transaction that has ended."""

    pk: int
    station_id: int
    transaction_id: int
