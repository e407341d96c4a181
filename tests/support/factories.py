"""One factory per model and per report: everything a test does not care about is filled in."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from evcharging.db.watt_hours import watt_hours
from id_tags.models import IdTag
from meter.types import Reading
from stations.models import Station
from stations.types import Received
from transactions.models import Transaction
from transactions.services.batched_starts import record_starts
from transactions.services.batched_stops import record_stops
from transactions.services.start import start_transaction
from transactions.services.stop import stop_transaction
from transactions.types import StartAnswer, StartMessage, StartReport, StopAnswer, StopMessage, StopReport

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
_numbers = itertools.count(1)


def make_station(identity: str | None = None, **fields: Any) -> Station:
    """An accepted, connected station (epoch 1)."""
    defaults = {
        "registration_status": "Accepted",
        "first_accepted_at": NOON - timedelta(days=100),
        "connection_epoch": 1,
    }
    return Station.objects.create(identity=identity or f"CP-{next(_numbers):04d}", **(defaults | fields))


def make_id_tag(id_tag: str | None = None, **fields: Any) -> IdTag:
    """An accepted tag with the default limit of one transaction."""
    return IdTag.objects.create(id_tag=id_tag or f"TAG-{next(_numbers):04d}", **fields)


def start_report(**fields: Any) -> StartReport:
    """A start of TAG on connector 1 at NOON with register 1000 Wh."""
    at = fields.pop("at", NOON)
    defaults: dict[str, Any] = {
        "connector_id": 1,
        "id_tag": "TAG",
        "meter_start": 1000,
        "reported_at": at,
        "reservation_id": None,
    }
    values = defaults | fields
    values.setdefault("meter_start_raw", None if values["meter_start"] is None else str(values["meter_start"]))
    values["meter_start"] = _register(values["meter_start"])
    values.setdefault("timestamp_raw", None if at is None else at.isoformat())
    return StartReport(**values)


def stop_report(**fields: Any) -> StopReport:
    """A stop half an hour after NOON with register 6000 Wh."""
    at = fields.pop("at", NOON + timedelta(minutes=30))
    defaults: dict[str, Any] = {
        "transaction_id": None,
        "id_tag": None,
        "meter_stop": 6000,
        "timestamp_raw": None if at is None else at.isoformat(),
        "reported_at": at,
        "reason": "Local",
        "transaction_data": (),
    }
    values = defaults | fields
    values.setdefault("transaction_ref", "" if values["transaction_id"] is None else str(values["transaction_id"]))
    values["meter_stop"] = _register(values["meter_stop"])
    values.setdefault("content_hash", (hash(repr(sorted(values.items()))) & (2**127 - 1)).to_bytes(16))
    return StopReport(**values)


def _register(number: float | Decimal | None) -> Decimal | None:
    """A register as the gateway reports it, whatever kind of number the test wrote."""
    return None if number is None else watt_hours(number)


def as_sent(register: Decimal | None) -> int | float | None:
    """A register as JSON has it."""
    return register if register is None else int(register) if register == int(register) else float(register)


def received(
    station: Station,
    at: datetime = NOON,
    *,
    epoch: int | None = None,
    drift: float | None = None,
    is_accepted: bool = True,
) -> Received:
    """How a message of the station's current connection came."""
    return Received(station.pk, station.connection_epoch if epoch is None else epoch, at, drift, is_accepted)


def report_start(message: StartMessage) -> StartAnswer:
    """Report a start as the gateway does: on the fast path, or by itself."""
    (answer,) = record_starts(messages=[message])
    return answer or start_transaction(**message._asdict())


def report_stop(message: StopMessage) -> StopAnswer:
    """Report a stop as the gateway does: on the fast path, or by itself."""
    (answer,) = record_stops(messages=[message])
    return answer or stop_transaction(**message._asdict())


def start(station: Station, *, received_at: datetime | None = None, **fields: Any) -> StartAnswer:
    """Report a start as the station's current connection, received when it says it happened."""
    report = start_report(**fields)
    return report_start(StartMessage(received(station, received_at or report.reported_at or NOON), report))


def stop(station: Station, *, received_at: datetime | None = None, **fields: Any) -> StopAnswer:
    """Report a stop as the station's current connection, received when it says it happened."""
    report = stop_report(**fields)
    payload = {"transactionId": report.transaction_ref, "meterStop": as_sent(report.meter_stop)}
    return report_stop(StopMessage(received(station, received_at or report.reported_at or NOON), report, payload))


def transaction_of(answer: StartAnswer) -> Transaction:
    """The stored transaction that a start was answered with."""
    return Transaction.objects.get(transaction_id=answer.transaction_id)


def reading(value: float | None = 1500.0, **fields: Any) -> Reading:
    """A periodic energy register sample at NOON."""
    defaults: dict[str, Any] = {
        "reported_at": NOON,
        "measurand": "Energy.Active.Import.Register",
        "phase": "",
        "location": "Outlet",
        "context": "Sample.Periodic",
        "format": "Raw",
        "unit": "Wh",
        "value": value,
        "raw": "" if value is not None else "n/a",
    }
    return Reading(**(defaults | fields))
