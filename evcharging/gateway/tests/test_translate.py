"""OCPP 1.6 payloads into the apps' types, as tables."""

from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evcharging.gateway.ocpp16 import translate
from evcharging.gateway.ocpp16.receive import receive
from evcharging.gateway.ocppj.deviations import Applied
from evcharging.gateway.ocppj.normalise import Quirks
from meter.types import Reading, reported_text
from stations.types import (
    BootReport,
    DataTransferReport,
    ProgressReport,
    SecurityEventReport,
    SignCertificateReport,
)
from status_notifications.types import StatusReport
from transactions.types import StartReport, StopReport

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOON_TEXT = "2026-03-01T12:00:00Z"
ENERGY = "Energy.Active.Import.Register"


def readings_of(*sampled: dict[str, Any], timestamp: Any = NOON_TEXT) -> tuple[list[Reading], list[Applied]]:
    payload = {"connectorId": 1, "meterValue": [{"timestamp": timestamp, "sampledValue": list(sampled)}]}
    received = receive("MeterValues", payload, Quirks())
    assert received.error is None
    result = translate.readings(received.payload, original=payload, zone=UTC, deviations=received.deviations)
    return result[3], received.deviations


def test_boot_with_every_field() -> None:
    payload = {
        "chargePointVendor": "ABB", "chargePointModel": "Terra", "chargePointSerialNumber": "S1",
        "chargeBoxSerialNumber": "B1", "firmwareVersion": "1.2", "iccid": "89", "imsi": "26", "meterType": "MT",
        "meterSerialNumber": "M1",
    }  # fmt: skip
    assert translate.boot(payload) == BootReport("ABB", "Terra", "S1", "B1", "1.2", "89", "26", "MT", "M1")


def test_boot_with_required_fields_only() -> None:
    assert translate.boot({"chargePointVendor": "ABB", "chargePointModel": "Terra"}) == BootReport(
        "ABB", "Terra", "", "", "", "", "", "", ""
    )


def test_status_with_every_field() -> None:
    payload = {
        "connectorId": 2, "errorCode": "GroundFailure", "status": "Faulted", "info": "i", "vendorId": "v",
        "vendorErrorCode": "E7", "timestamp": "2026-03-01T12:00:00.123Z",
    }  # fmt: skip
    report = translate.status(payload, zone=UTC, deviations=[])
    assert report == StatusReport(2, "Faulted", "GroundFailure", "i", "v", "E7", NOON.replace(microsecond=123000))


@pytest.mark.parametrize(("word", "kept"), [("Sleeping", "Sleeping"), ("x" * 60, "x" * 50), ("", "")])
def test_status_is_any_word(word: str, kept: str) -> None:
    payload = {"connectorId": 1, "errorCode": "NoError", "status": word}
    assert translate.status(payload, zone=UTC, deviations=[]).status == kept


def test_status_without_timestamp() -> None:
    deviations: list[Applied] = []
    payload = {"connectorId": 0, "errorCode": "NoError", "status": "Available"}
    report = translate.status(payload, zone=UTC, deviations=deviations)
    assert (report.reported_at, deviations) == (None, [])


def test_naive_time_is_in_the_stations_zone() -> None:
    deviations: list[Applied] = []
    payload = {"connectorId": 0, "errorCode": "NoError", "status": "Available", "timestamp": "2026-07-01T12:00:00"}
    report = translate.status(payload, zone=ZoneInfo("Europe/Berlin"), deviations=deviations)
    assert report.reported_at == datetime(2026, 7, 1, 10, 0, tzinfo=UTC)
    assert deviations == [Applied("timestamp_naive", "timestamp", "2026-07-01T12:00:00")]


def test_start_with_every_field() -> None:
    payload = {"connectorId": 1, "idTag": "TAG", "meterStart": 123, "timestamp": NOON_TEXT, "reservationId": 4}
    report = translate.start(payload, original=payload, zone=UTC, deviations=[])
    assert report == StartReport(1, "TAG", 123, "123", f'"{NOON_TEXT}"', NOON, 4)


@pytest.mark.parametrize(
    ("reported", "meter_start", "raw"),
    [
        (123, 123, "123"),
        ("123", 123, '"123"'),
        (" 123", 123, '" 123"'),
        (123.0, 123, "123.0"),
        (12.5, Decimal("12.5"), "12.5"),
        ("12.5", Decimal("12.5"), '"12.5"'),
        ("12.3456", Decimal("12.346"), '"12.3456"'),
        (0.1, Decimal("0.1"), "0.1"),
        (-5, -5, "-5"),
        (-5.25, Decimal("-5.25"), "-5.25"),
        (-(2**63) + 1, -(2**63) + 1, "-9223372036854775807"),
        (2**63 - 1, 2**63 - 1, "9223372036854775807"),
        (2**63, None, "9223372036854775808"),
        ("", None, '""'),
        ("n/a", None, '"n/a"'),
        (True, None, "true"),
        (None, None, None),
    ],
)
def test_meter_start_as_sent(reported: Any, meter_start: Decimal | int | None, raw: str | None) -> None:
    payload = {"connectorId": 1, "idTag": "TAG", "meterStart": reported, "timestamp": NOON_TEXT}
    received = receive("StartTransaction", payload, Quirks())
    report = translate.start(received.payload, original=payload, zone=UTC, deviations=received.deviations)
    assert (report.meter_start, report.meter_start_raw) == (meter_start, raw)


def test_start_with_nothing_but_a_tag() -> None:
    payload = {"idTag": "TAG"}
    received = receive("StartTransaction", payload, Quirks())
    report = translate.start(received.payload, original=payload, zone=UTC, deviations=received.deviations)
    assert report == StartReport(0, "TAG", None, None, None, None, None)


def test_start_with_reservation_beyond_its_column() -> None:
    payload = {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": NOON_TEXT, "reservationId": 2**40}
    received = receive("StartTransaction", payload, Quirks())
    report = translate.start(received.payload, original=payload, zone=UTC, deviations=received.deviations)
    assert report.reservation_id is None


def test_stop_with_every_field() -> None:
    payload = {
        "transactionId": 7, "idTag": "TAG", "meterStop": 900, "timestamp": NOON_TEXT, "reason": "EVDisconnected",
        "transactionData": [{"timestamp": NOON_TEXT, "sampledValue": [{"value": "900"}]}],
    }  # fmt: skip
    report = translate.stop(payload, original=payload, zone=UTC, deviations=[])
    reading = Reading(NOON, ENERGY, "", "Outlet", "Sample.Periodic", "Raw", "Wh", 900.0, "")
    canonical = orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)
    assert report == StopReport(
        7, "7", "TAG", 900, f'"{NOON_TEXT}"', NOON, "EVDisconnected", (reading,),
        blake2b(canonical, digest_size=16).digest(),
    )  # fmt: skip


def test_stop_without_optional_fields() -> None:
    payload = {"transactionId": 7, "meterStop": 900, "timestamp": NOON_TEXT}
    report = translate.stop(payload, original=payload, zone=UTC, deviations=[])
    assert (report.id_tag, report.reason, report.transaction_data) == (None, "Local", ())


def test_content_hash_is_the_same_for_another_order_of_keys() -> None:
    one = {"transactionId": 7, "meterStop": 900, "timestamp": NOON_TEXT}
    other = dict(reversed(one.items()))
    hashes = {translate.stop(p, original=p, zone=UTC, deviations=[]).content_hash for p in (one, other)}
    assert len(hashes) == 1


def test_content_hash_differs_for_another_register() -> None:
    one = {"transactionId": 7, "meterStop": 900, "timestamp": NOON_TEXT}
    other = one | {"meterStop": 901}
    hashes = {translate.stop(p, original=p, zone=UTC, deviations=[]).content_hash for p in (one, other)}
    assert len(hashes) == 2


@pytest.mark.parametrize(
    ("reported", "transaction_id", "transaction_ref"),
    [
        (7, 7, "7"),
        (2**31 - 1, 2**31 - 1, "2147483647"),
        (2**31, None, "2147483648"),
        (2**40, None, "1099511627776"),
        (2**63 - 1, None, "9223372036854775807"),
        (0, None, "0"),
        (-1, None, "-1"),
        ("7", 7, "7"),
        ("abc", None, "abc"),
        ("", None, ""),
        (7.5, None, "7.5"),
        ("7.5", None, "7.5"),
        (True, None, "true"),
        (None, None, ""),
        ({"id": 7}, None, '{"id":7}'),
    ],
)
@pytest.mark.parametrize("action", ["StopTransaction", "MeterValues"])
def test_transaction_id_as_reported(
    action: str, reported: Any, transaction_id: int | None, transaction_ref: str
) -> None:
    payload: dict[str, Any] = {"transactionId": reported, "meterStop": 1, "timestamp": NOON_TEXT}
    if action == "MeterValues":
        payload = {"connectorId": 1, "transactionId": reported, "meterValue": []}
    received = receive(action, payload, Quirks())
    arguments: dict[str, Any] = {"original": payload, "zone": UTC, "deviations": received.deviations}
    if action == "StopTransaction":
        report = translate.stop(received.payload, **arguments)
        found = (report.transaction_id, report.transaction_ref)
    else:
        found = translate.readings(received.payload, **arguments)[1:3]
    assert (received.error, found) == (None, (transaction_id, transaction_ref))


@pytest.mark.parametrize(
    ("sampled", "reading"),
    [
        ({"value": "12"}, (ENERGY, "", "Outlet", "Sample.Periodic", "Raw", "Wh", 12.0, "")),
        (
            {"value": "12.5", "unit": "kWh", "context": "Transaction.End", "location": "Inlet", "format": "Raw"},
            (ENERGY, "", "Inlet", "Transaction.End", "Raw", "kWh", 12500.0, ""),
        ),
        (
            {"value": "229.0", "measurand": "Voltage", "phase": "L1-N", "unit": "V"},
            ("Voltage", "L1-N", "Outlet", "Sample.Periodic", "Raw", "V", 229.0, "229.0"),
        ),
        (
            {"value": "16.5", "measurand": "Current.Import", "phase": "L1-N", "unit": "A"},
            ("Current.Import", "L1", "Outlet", "Sample.Periodic", "Raw", "A", 16.5, ""),
        ),
        (
            {"value": "50", "measurand": "SoC", "location": "EV"},
            ("SoC", "", "EV", "Sample.Periodic", "Raw", "Percent", 50.0, ""),
        ),
        (
            {"value": "OCMF|{}|{}", "format": "SignedData"},
            (ENERGY, "", "Outlet", "Sample.Periodic", "SignedData", "Wh", None, "OCMF|{}|{}"),
        ),
        (
            {"value": "12", "format": "SignedData"},
            (ENERGY, "", "Outlet", "Sample.Periodic", "SignedData", "Wh", None, "12"),
        ),
        (
            {"value": "49.97", "measurand": "Frequency", "unit": "Hertz"},
            ("Frequency", "", "Outlet", "Sample.Periodic", "Raw", "Hz", 49.97, ""),
        ),
        (
            {"value": "3", "measurand": "com.vendor.Fans", "unit": "pieces"},
            ("com.vendor.Fans", "", "Outlet", "Sample.Periodic", "Raw", "pieces", 3.0, ""),
        ),
    ],
)
def test_reading_of_sampled_value(sampled: dict[str, Any], reading: tuple[Any, ...]) -> None:
    assert readings_of(sampled)[0] == [Reading(NOON, *reading)]


@pytest.mark.parametrize(
    ("value", "unit", "canonical"),
    [
        ("1", "Wh", 1.0),
        ("12.345", "kWh", 12345.0),
        ("0.1", "kWh", 100.0),
        ("1.2", "MWh", 1_200_000.0),
        ("7", "varh", 7.0),
        ("7.01", "kvarh", 7010.0),
        ("7", "W", 7.0),
        ("7.4", "kW", 7400.0),
        ("7", "VA", 7.0),
        ("7.4", "kVA", 7400.0),
        ("7", "var", 7.0),
        ("7.4", "kvar", 7400.0),
        ("16", "A", 16.0),
        ("16001", "mA", 16.001),
        ("229.7", "V", 229.7),
        ("20.5", "Celsius", 20.5),
        ("20.5", "Celcius", 20.5),
        ("293.15", "K", 20.0),
        ("68", "Fahrenheit", 20.0),
        ("99.9", "Percent", 99.9),
        ("50.01", "Hertz", 50.01),
    ],
)
def test_value_in_canonical_unit(value: str, unit: str, canonical: float) -> None:
    [reading] = readings_of({"value": value, "unit": unit})[0]
    assert reading.value == canonical


@pytest.mark.parametrize(
    ("text", "value", "raw", "rule"),
    [
        ("0", 0.0, "", ""),
        ("-12.5", -12.5, "", ""),
        ("0.000001", 0.000001, "", ""),
        ("007", 7.0, "007", ""),
        ("1.50", 1.5, "1.50", ""),
        ("+5", 5.0, "+5", ""),
        ("5.", 5.0, "5.", ""),
        (".5", 0.5, ".5", ""),
        ("-0", -0.0, "", ""),
        ("1E3", 1000.0, "1E3", ""),
        ("123456789012345.123456", 123456789012345.12, "123456789012345.123456", ""),
        (" 0.0", 0.0, " 0.0", "value_with_spaces"),
        ("", None, "", "value_not_a_number"),
        ("NaN", None, "NaN", "value_not_a_number"),
        ("Infinity", None, "Infinity", "value_not_a_number"),
        ("1,5", None, "1,5", "value_not_a_number"),
        ("1_000", None, "1_000", "value_not_a_number"),
        ("٣", None, "٣", "value_not_a_number"),
        ("0x10", None, "0x10", "value_not_a_number"),
        ("1" * 400, None, "1" * 400, "value_not_a_number"),
        ("1e99", None, "1e99", "value_impossible"),
        ("1e999", None, "1e999", "value_not_a_number"),
        (12.5, 12.5, "", "number_for_text"),
        (12, 12.0, "", "number_for_text"),
        (None, None, "", "null_field"),
        (True, None, "true", "json_for_text"),
        ({"a": 1}, None, '{"a":1}', "json_for_text"),
    ],
)
def test_value_as_sent(text: Any, value: float | None, raw: str, rule: str) -> None:
    [reading], deviations = readings_of({"value": text})
    assert (reading.value, reading.raw) == (value, raw)
    assert [one.rule for one in deviations][:1] == ([rule] if rule else [])


@settings(deadline=None)
@given(
    st.from_regex(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,12})?", fullmatch=True),
    st.sampled_from(["Wh", "kWh", "MWh", "mA", "V", "pieces"]),
)
def test_empty_raw_text_means_the_value_reproduces_it(text: str, unit: str) -> None:
    [reading] = readings_of({"value": text, "unit": unit})[0]
    if reading.value is not None and not reading.raw:
        assert reported_text(reading.value, unit) == text
    else:
        assert reading.raw == text


def test_readings_of_one_instant_share_their_time() -> None:
    one, two = readings_of({"value": "1"}, {"value": "2"})[0]
    assert one.reported_at is two.reported_at


def test_meter_value_without_readable_time_is_kept() -> None:
    [reading], deviations = readings_of({"value": "1"}, timestamp="now")
    assert reading == Reading(None, ENERGY, "", "Outlet", "Sample.Periodic", "Raw", "Wh", 1.0, "")
    assert deviations == [Applied("timestamp_unparsable", "meterValue[].timestamp", "now")]


def test_a_deviation_in_every_sample_is_noted_once() -> None:
    many = [{"value": "1,5"}] * 500
    assert readings_of(*many)[1] == [Applied("value_not_a_number", "meterValue[].sampledValue[].value", "1,5")]


def test_words_of_any_length_fit_their_columns() -> None:
    [reading] = readings_of(dict.fromkeys(("measurand", "phase", "location", "context", "format", "unit"), "x" * 999)
                            | {"value": "1"})[0]  # fmt: skip
    assert [len(word) for word in reading[1:7]] == [100, 20, 20, 40, 20, 40]


def test_data_transfer_keeps_json_as_text() -> None:
    payload = {"vendorId": "EVBox", "messageId": "evbStatusNotification", "data": {"level": 3}}
    received = receive("DataTransfer", payload, Quirks())
    assert translate.data_transfer(received.payload) == DataTransferReport(
        "EVBox", "evbStatusNotification", '{"level":3}'
    )


@pytest.mark.parametrize(
    ("action", "payload", "report"),
    [
        ("FirmwareStatusNotification", {"status": "Installed"}, ("Installed", None)),
        ("DiagnosticsStatusNotification", {"status": "Uploading"}, ("Uploading", None)),
        ("LogStatusNotification", {"status": "Uploaded", "requestId": 5}, ("Uploaded", 5)),
        ("LogStatusNotification", {"status": "Uploaded", "requestId": 5.0}, ("Uploaded", 5)),
        ("LogStatusNotification", {"status": "Uploaded", "requestId": 2**63}, ("Uploaded", None)),
        ("LogStatusNotification", {"status": "Uploaded", "vendor": "extra"}, ("Uploaded", None)),
        (
            "SignedFirmwareStatusNotification",
            {"status": "InvalidSignature", "requestId": "6"},
            ("InvalidSignature", 6),
        ),
    ],
)
def test_progress(action: str, payload: dict[str, Any], report: tuple[str, int | None]) -> None:
    received = receive(action, payload, Quirks())
    assert received.error is None
    assert translate.progress(action, received.payload) == ProgressReport(action, *report)


def test_security_event() -> None:
    payload = {"type": "FirmwareUpdated", "timestamp": NOON_TEXT, "techInfo": "v2"}
    assert translate.security_event(payload, zone=UTC, deviations=[]) == SecurityEventReport(
        "FirmwareUpdated", NOON, "v2"
    )


def test_sign_certificate() -> None:
    assert translate.sign_certificate({"csr": "-----BEGIN"}) == SignCertificateReport("-----BEGIN")
