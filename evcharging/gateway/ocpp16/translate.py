"""OCPP 1.6 payloads into the apps' own types. Pure: no clock, no database; a payload has been through normalise.receive.

A function that reads times takes the station's `zone` for naive ones and adds what it noticed to `deviations`; `start`
and `stop` also take the payload as it came (`original`), for the texts that find a resend.
"""

import re
from collections.abc import Iterable
from datetime import datetime, tzinfo
from decimal import Decimal
from hashlib import blake2b
from typing import Any, NamedTuple

from evcharging.gateway.deviations import Applied
from evcharging.gateway.json_text import canonical_json, json_text
from evcharging.gateway.timestamps import parse_timestamp
from meter.types import UNITS, Reading, reported_text
from stations.types import (
    BootReport,
    DataTransferReport,
    ProgressReport,
    SecurityEventReport,
    SignCertificateReport,
)
from status_notifications.types import StatusReport
from transactions.types import StartReport, StopReport

MAX_INT32, MAX_INT64 = 2**31 - 1, 2**63 - 1
MAX_TEXT = 255
MAX_WORDS_KNOWN = 10_000
STATUSES = frozenset(
    {
        "Available", "Preparing", "Charging", "SuspendedEVSE", "SuspendedEV", "Finishing", "Reserved", "Unavailable",
        "Faulted",
    }
)  # fmt: skip
DEFAULT_UNITS = (
    ("Energy.Active", "Wh"),
    ("Energy.Reactive", "varh"),
    ("Energy.Apparent", "VAh"),
    ("Power.Active", "W"),
    ("Power.Reactive", "var"),
    ("Power.Offered", "W"),
    ("Power.Factor", ""),
    ("Current", "A"),
    ("Voltage", "V"),
    ("SoC", "Percent"),
    ("Temperature", "Celsius"),
    ("Frequency", "Hz"),
    ("RPM", ""),
)
"""Beginning of a measurand → the unit it is in where the station names none (OCPP 1.6 §7.43 says Wh for energy)."""


def boot(payload: dict[str, Any]) -> BootReport:
    """BootNotification, OCPP 1.6 §6.3."""
    names = (
        "chargePointVendor", "chargePointModel", "chargePointSerialNumber", "chargeBoxSerialNumber", "firmwareVersion",
        "iccid", "imsi", "meterType", "meterSerialNumber",
    )  # fmt: skip
    return BootReport(*(payload.get(name, "").strip()[:MAX_TEXT] for name in names))


def status(payload: dict[str, Any], *, zone: tzinfo, deviations: list[Applied]) -> StatusReport:
    """StatusNotification, OCPP 1.6 §6.47."""
    word = payload["status"]
    return StatusReport(
        payload["connectorId"],
        word if word in STATUSES else "",
        payload["errorCode"][:MAX_TEXT],
        payload.get("info", "")[:MAX_TEXT],
        payload.get("vendorId", "")[:MAX_TEXT],
        payload.get("vendorErrorCode", "")[:MAX_TEXT],
        _time(payload, "timestamp", zone, deviations),
    )


def start(
    payload: dict[str, Any], *, original: dict[str, Any], zone: tzinfo, deviations: list[Applied]
) -> StartReport:
    """StartTransaction, OCPP 1.6 §6.45."""
    return StartReport(
        payload["connectorId"],
        payload["idTag"],
        _register(payload, "meterStart", deviations),
        _raw(original, "meterStart"),
        _raw(original, "timestamp"),
        _time(payload, "timestamp", zone, deviations),
        _int32_or_none(payload.get("reservationId")),
    )


def stop(
    payload: dict[str, Any], *, original: dict[str, Any], zone: tzinfo, deviations: list[Applied]
) -> StopReport:
    """StopTransaction, OCPP 1.6 §6.49."""
    transaction_id, transaction_ref = _transaction(payload, original)
    return StopReport(
        transaction_id,
        transaction_ref,
        payload.get("idTag") or None,
        _register(payload, "meterStop", deviations),
        _raw(original, "timestamp"),
        _time(payload, "timestamp", zone, deviations),
        payload.get("reason", "Local"),
        tuple(_readings(payload.get("transactionData", ()), "transactionData", zone, deviations)),
        blake2b(canonical_json(original), digest_size=16).digest(),
    )


def readings(
    payload: dict[str, Any], *, original: dict[str, Any], zone: tzinfo, deviations: list[Applied]
) -> tuple[int, int | None, str, list[Reading]]:
    """MeterValues, OCPP 1.6 §6.31: connector, usable transaction id, reported transaction id, readings."""
    transaction_id, transaction_ref = _transaction(payload, original)
    return (
        payload["connectorId"],
        transaction_id,
        transaction_ref,
        _readings(payload["meterValue"], "meterValue", zone, deviations),
    )


def data_transfer(payload: dict[str, Any]) -> DataTransferReport:
    """DataTransfer, OCPP 1.6 §6.15."""
    data = payload.get("data", "")
    return DataTransferReport(
        payload["vendorId"], payload.get("messageId", ""), data if isinstance(data, str) else json_text(data)
    )


def progress(kind: str, payload: dict[str, Any]) -> ProgressReport:
    """DiagnosticsStatus-, FirmwareStatus-, LogStatus- or SignedFirmwareStatusNotification."""
    request_id = payload.get("requestId")
    is_storable = request_id is not None and -MAX_INT64 <= request_id <= MAX_INT64
    return ProgressReport(kind, payload["status"], request_id if is_storable else None)


def security_event(payload: dict[str, Any], *, zone: tzinfo, deviations: list[Applied]) -> SecurityEventReport:
    """SecurityEventNotification, security white paper."""
    return SecurityEventReport(
        payload["type"], _time(payload, "timestamp", zone, deviations), payload.get("techInfo", "")
    )


def sign_certificate(payload: dict[str, Any]) -> SignCertificateReport:
    """SignCertificate, security white paper."""
    return SignCertificateReport(payload["csr"])


def _time(payload: dict[str, Any], name: str, zone: tzinfo, deviations: list[Applied], at: str = "") -> Any:
    value = payload.get(name)
    if value is None:
        return None
    parsed, rule = parse_timestamp(value, zone)
    if rule:
        deviations.append(Applied(rule, at + name, str(value)[:200]))
    return parsed


def _raw(original: dict[str, Any], name: str) -> str | None:
    """The JSON text of a scalar as it was sent, None where it was absent or null."""
    value = original.get(name)
    return None if value is None else json_text(value)[:MAX_TEXT]


def _register(payload: dict[str, Any], name: str, deviations: list[Applied]) -> int | None:
    value: int | None = payload.get(name)
    if value is not None and not -MAX_INT64 <= value <= MAX_INT64:
        deviations.append(Applied("impossible_register", name, str(value)[:200]))
        return None
    return value


def _int32_or_none(value: int | None) -> int | None:
    return value if value is not None and -MAX_INT32 <= value <= MAX_INT32 else None


def _transaction(payload: dict[str, Any], original: dict[str, Any]) -> tuple[int | None, str]:
    """The id if it can be one of ours (1 … 2^31-1), and what was reported, as text."""
    transaction_id = payload.get("transactionId")
    if type(transaction_id) is int and 0 < transaction_id <= MAX_INT32:
        return transaction_id, str(transaction_id)
    reported = original.get("transactionId")
    if reported is None:
        return None, ""
    return None, (reported if isinstance(reported, str) else json_text(reported))[:MAX_TEXT]


class _Words(NamedTuple):
    """What a sampled value says beside its value, with OCPP's defaults filled in."""

    measurand: str
    phase: str
    location: str
    context: str
    format: str
    unit: str
    factor: Decimal | None


_words_known: dict[tuple[Any, ...], _Words] = {}
# What float() reads to the digit: everything else is looked at more closely.
_PLAIN = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,6})?", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,40}(?:\.\d{0,40})?(?:[eE][+-]?\d{1,2})?|[+-]?\.\d{1,40}", re.ASCII)


def _readings(
    meter_values: Iterable[dict[str, Any]], name: str, zone: tzinfo, deviations: list[Applied]
) -> list[Reading]:
    result = []
    for meter_value in meter_values:
        reported_at: datetime | None = _time(meter_value, "timestamp", zone, deviations, f"{name}[].")
        for sampled in meter_value["sampledValue"]:
            get = sampled.get
            key = (get("measurand"), get("phase"), get("location"), get("context"), get("format"), get("unit"))
            words = _words_known.get(key)
            if words is None:
                words = _words(*key)
            text = sampled["value"]
            if words.factor is None and _PLAIN.fullmatch(text) and words.format == "Raw":
                value: float | None = float(text)
                # A trailing zero or a minus zero is what a float does not give back.
                raw = text if ("." in text and text[-1] == "0") or text[0] == "-" and not value else ""
            else:
                value, raw = _value(text, words, name, deviations)
            result.append(Reading(reported_at, *words[:6], value, raw))
    return result


def _words(*reported: str | None) -> _Words:
    measurand, phase, location, context, form, unit = reported
    measurand = (measurand or "Energy.Active.Import.Register")[:100]
    if not unit:
        unit = next((default for prefix, default in DEFAULT_UNITS if measurand.startswith(prefix)), "")
    known = UNITS.get("Celsius" if unit == "Celcius" else unit)
    exact = known is None or (known.exponent == 0 and unit not in ("K", "Fahrenheit"))
    words = _Words(
        measurand,
        (phase or "")[:20],
        (location or "Outlet")[:20],
        (context or "Sample.Periodic")[:40],
        (form or "Raw")[:20],
        unit[:40],
        None if exact else Decimal(1).scaleb(known.exponent if known else 0),
    )
    if len(_words_known) >= MAX_WORDS_KNOWN:
        _words_known.clear()
    _words_known[reported] = words
    return words


def _value(text: str, words: _Words, name: str, deviations: list[Applied]) -> tuple[float | None, str]:
    """Return the canonical value and the raw text where the value does not reproduce it."""
    if words.format == "SignedData":
        return None, text
    stripped = text.strip(" \t\r\n")
    if not _NUMBER.fullmatch(stripped):
        deviations.append(Applied("value_not_a_number", f"{name}[].sampledValue[].value", text[:200]))
        return None, text
    if stripped != text:
        deviations.append(Applied("value_with_spaces", f"{name}[].sampledValue[].value", text[:200]))
    number = Decimal(stripped) * (words.factor or 1)
    if words.unit == "K":
        return float(number - Decimal("273.15")), text
    if words.unit == "Fahrenheit":
        return float((number - 32) * 5 / 9), text
    value = float(number)
    return value, "" if reported_text(value, words.unit) == text else text
