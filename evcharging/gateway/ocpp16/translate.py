"""OCPP 1.6 payloads into the apps' own types. Pure: no clock, no database; payloads come from normalise.receive.

A function that reads times takes the station's `zone` for naive ones and adds what it noticed to `deviations`; `start`
and `stop` also take the payload as it came (`original`), for the texts that find a resend.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from decimal import Decimal
from hashlib import blake2b
from typing import Any, NamedTuple

from evcharging.db.watt_hours import watt_hours
from evcharging.gateway.ocpp16.operations import MAX_ID_TAG
from evcharging.gateway.ocppj.deviations import Applied, note
from evcharging.gateway.ocppj.json_text import canonical_json, json_text
from evcharging.gateway.ocppj.timestamps import parse_timestamp
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
MAX_WORD = 50
MAX_WORDS_KNOWN = 10_000
MAX_WORDS_LENGTH = 300
LARGEST_VALUE = 1e15
"""Beyond any register; a larger number is a fault of the meter and would drown every sum."""

UNIT_NAMES = {"Celcius": "Celsius", "Hertz": "Hz"}
"""The specification's own spellings of a unit → ours."""

PHASES_TO_NEUTRAL = {"L1-N": "L1", "L2-N": "L2", "L3-N": "L3"}
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
    return StatusReport(
        payload["connectorId"],
        payload["status"][:MAX_WORD],
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


def stop(payload: dict[str, Any], *, original: dict[str, Any], zone: tzinfo, deviations: list[Applied]) -> StopReport:
    """StopTransaction, OCPP 1.6 §6.49."""
    transaction_id, transaction_ref = _transaction(payload, original)
    return StopReport(
        transaction_id,
        transaction_ref,
        payload.get("idTag") or None,
        _register(payload, "meterStop", deviations),
        _raw(original, "timestamp"),
        _time(payload, "timestamp", zone, deviations),
        payload.get("reason", "Local")[:MAX_WORD],
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


def id_tag_info(told: Mapping[str, str]) -> dict[str, str]:
    """Return OCPP's idTagInfo (§7.27) of what a station is told of a tag (id_tags.types.Authorization.told).

    A parentIdTag that is too long for the wire is left out.
    """
    info = {"status": told["status"]}
    if "expires_at" in told:
        info["expiryDate"] = told["expires_at"]
    group = told.get("group_id_tag")
    if group is not None and len(group) <= MAX_ID_TAG:
        info["parentIdTag"] = group
    return info


def data_transfer(payload: dict[str, Any]) -> DataTransferReport:
    """DataTransfer, OCPP 1.6 §6.15."""
    data = payload.get("data", "")
    return DataTransferReport(
        payload["vendorId"], payload.get("messageId", ""), data if isinstance(data, str) else json_text(data)
    )


def progress(kind: str, payload: dict[str, Any]) -> ProgressReport:
    """DiagnosticsStatus-, FirmwareStatus-, LogStatus- or SignedFirmwareStatusNotification."""
    request_id = payload.get("requestId")
    if request_id is not None:
        # The security extension's schemas take 7.0 for an integer.
        request_id = int(request_id) if -MAX_INT64 <= request_id <= MAX_INT64 else None
    return ProgressReport(kind, payload["status"], request_id)


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
        note(deviations, rule, at + name, value)
    return parsed


def _raw(original: dict[str, Any], name: str) -> str | None:
    """The JSON text of a scalar as it was sent, None where it was absent or null."""
    value = original.get(name)
    return None if value is None else _bounded(json_text(value))


def _bounded(text: str) -> str:
    """A text of at most MAX_TEXT bytes, for an index: of a longer one its beginning, and a digest of all of it."""
    encoded = text.encode()
    if len(encoded) <= MAX_TEXT:
        return text
    digest = blake2b(encoded, digest_size=16).hexdigest()
    return encoded[: MAX_TEXT - len(digest)].decode(errors="ignore") + digest


def _register(payload: dict[str, Any], name: str, deviations: list[Applied]) -> Decimal | None:
    value: int | float | None = payload.get(name)
    if value is None:
        return None
    if not -MAX_INT64 <= value <= MAX_INT64:
        note(deviations, "impossible_register", name, value)
        return None
    return watt_hours(value)


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
    return None, _bounded(reported if isinstance(reported, str) else json_text(reported))


class _Words(NamedTuple):
    """What a sampled value says beside its value, with OCPP's defaults filled in.

    `exponent` written behind a number makes it canonical ("e3" for kWh, "" for Wh); None where that is not enough:
    signed data, and units with another zero. `rule` is what was put right, "" for nothing.
    """

    words: tuple[str, str, str, str, str, str]
    exponent: str | None
    rule: str


_words_known: dict[tuple[Any, ...], _Words] = {}
# What comes back from a float to the digit: at most 15 of them, no zero at either end that means nothing.
_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]*[1-9])?")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,2})?")
_PLAIN_LENGTH = 15


def _readings(
    meter_values: Iterable[dict[str, Any]], name: str, zone: tzinfo, deviations: list[Applied]
) -> list[Reading]:
    result = []
    is_plain, new = _PLAIN.fullmatch, tuple.__new__
    for meter_value in meter_values:
        reported_at: datetime | None = _time(meter_value, "timestamp", zone, deviations, f"{name}[].")
        for sampled in meter_value["sampledValue"]:
            get = sampled.get
            key = (get("measurand"), get("phase"), get("location"), get("context"), get("format"), get("unit"))
            known = _words_known.get(key)
            if known is None:
                known = _words(*key)
            words, exponent, rule = known
            text = sampled["value"]
            if exponent is not None and len(text) <= _PLAIN_LENGTH and is_plain(text) and text != "-0":
                value: float | None = float(text + exponent)
                raw = ""
            else:
                value, raw = _value(text, known, name, deviations)
            if rule:
                note(deviations, rule, f"{name}[].sampledValue[].phase", key[1])
            result.append(new(Reading, (reported_at, *words, value, raw)))
    return result


def _words(*reported: str | None) -> _Words:
    measurand, phase, location, context, form, unit = reported
    measurand = (measurand or "Energy.Active.Import.Register")[:100]
    if not unit:
        unit = next((default for prefix, default in DEFAULT_UNITS if measurand.startswith(prefix)), "")
    unit = UNIT_NAMES.get(unit, unit)
    rule = ""
    if phase in PHASES_TO_NEUTRAL and measurand.startswith("Current."):
        # A current has no other end; units that copy the phase of the voltage mean the line (ChargeAmps).
        phase, rule = PHASES_TO_NEUTRAL[phase], "phase_to_neutral_of_current"
    known = UNITS.get(unit)
    exponent = None
    if form != "SignedData" and unit not in ("K", "Fahrenheit"):
        exponent = f"e{known.exponent}" if known and known.exponent else ""
    words = _Words(
        (
            measurand,
            (phase or "")[:20],
            (location or "Outlet")[:20],
            (context or "Sample.Periodic")[:40],
            (form or "Raw")[:20],
            unit[:40],
        ),
        exponent,
        rule,
    )
    if sum(len(word) for word in reported if word) <= MAX_WORDS_LENGTH:
        if len(_words_known) >= MAX_WORDS_KNOWN:
            _words_known.clear()
        _words_known[reported] = words
    return words


def _value(text: str, known: _Words, name: str, deviations: list[Applied]) -> tuple[float | None, str]:
    """Return the canonical value and the raw text where the value does not reproduce it."""
    form, unit = known.words[4:]
    if form == "SignedData":
        return None, text
    field = f"{name}[].sampledValue[].value"
    stripped = text.strip(" \t\r\n")
    if not _NUMBER.fullmatch(stripped):
        note(deviations, "value_not_a_number", field, text)
        return None, text
    if stripped != text:
        note(deviations, "value_with_spaces", field, text)
    if unit == "K":
        value = float(Decimal(stripped) - Decimal("273.15"))
    elif unit == "Fahrenheit":
        value = float((Decimal(stripped) - 32) * 5 / 9)
    else:
        value = float(Decimal(stripped).scaleb(int((known.exponent or "e0")[1:])))
    if abs(value) > LARGEST_VALUE:
        note(deviations, "value_impossible", field, text)
        return None, text
    # Values with another zero are rounded, so their text is always kept.
    return value, "" if known.exponent is not None and reported_text(value, unit) == text else text
