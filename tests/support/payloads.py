"""Payloads as a well-behaved charger sends them; a test says only what it cares about."""

from datetime import UTC, datetime, timedelta
from typing import Any

Payload = dict[str, Any]

BOOT = {"chargePointVendor": "Acme", "chargePointModel": "One"}


def ago(**how_long: float) -> datetime:
    """Return an instant that long ago, in whole seconds, as most chargers keep time."""
    return datetime.now(UTC).replace(microsecond=0) - timedelta(**how_long)


def text(at: datetime) -> str:
    """Return an instant as OCPP writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def status(connector_id: int, status: str, error_code: str = "NoError", **fields: Any) -> Payload:
    return {"connectorId": connector_id, "status": status, "errorCode": error_code, **fields}


def start(id_tag: str, *, connector_id: int = 1, meter_start: int = 1000, at: datetime | None = None) -> Payload:
    return {
        "connectorId": connector_id,
        "idTag": id_tag,
        "meterStart": meter_start,
        "timestamp": text(at or ago(seconds=1)),
    }


def stop(transaction_id: Any, *, meter_stop: int = 6000, at: datetime | None = None, **fields: Any) -> Payload:
    return {
        "transactionId": transaction_id,
        "meterStop": meter_stop,
        "timestamp": text(at or ago(seconds=0)),
        **fields,
    }


def sample(value: Any, at: datetime | str | None = None, **fields: Any) -> Payload:
    """Return one MeterValue with one sampled value."""
    timestamp = at if isinstance(at, str) else text(at or ago(seconds=0))
    return {"timestamp": timestamp, "sampledValue": [{"value": value, **fields}]}


def meter_values(*samples: Payload, connector_id: int = 1, transaction_id: Any = None) -> Payload:
    payload: Payload = {"connectorId": connector_id, "meterValue": list(samples)}
    if transaction_id is not None:
        payload["transactionId"] = transaction_id
    return payload
