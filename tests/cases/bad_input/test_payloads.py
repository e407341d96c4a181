"""Payloads of the wrong shape or with any nonsense in any field, as raw frames on a real socket."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from id_tags.models import IdTag
from meter.models import MeterValue
from stations.models import Deviation, Station
from tests.support.bad_input import assert_serves, deviations_of, error_of
from tests.support.charger import Charger
from tests.support.factories import make_station
from tests.support.payloads import ago, meter_values, sample, start, status, stop
from tests.support.waiting import until
from transactions.models import Transaction

Plug = Callable[..., Charger]
VIOLATIONS = {
    "FormationViolation",
    "TypeConstraintViolation",
    "PropertyConstraintViolation",
    "OccurenceConstraintViolation",
}


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("StatusNotification", {}, "OccurenceConstraintViolation"),
        ("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": {}}, "TypeConstraintViolation"),
        ("FirmwareStatusNotification", {}, "OccurenceConstraintViolation"),
        ("FirmwareStatusNotification", {"status": []}, "TypeConstraintViolation"),
        ("DiagnosticsStatusNotification", {"status": None}, "OccurenceConstraintViolation"),
        ("LogStatusNotification", {"requestId": 5}, "OccurenceConstraintViolation"),
        ("SignedFirmwareStatusNotification", {"status": True}, "TypeConstraintViolation"),
        ("SignCertificate", {}, "OccurenceConstraintViolation"),
        ("SignCertificate", {"csr": {}}, "TypeConstraintViolation"),
    ],
)
def test_payload_without_its_one_word_is_refused(
    charger: Charger, action: str, payload: dict[str, Any], code: str
) -> None:
    """Where the one thing a message says is missing, nothing stands for it."""
    assert error_of(charger.call(action, payload, "1")) == ("1", code)
    assert_serves(charger)


def test_payload_that_was_refused_is_recorded(charger: Charger, station: Station) -> None:
    charger.call("SignCertificate", {}, "1")
    until(lambda: deviations_of(station), {("SignCertificate", "csr", "not_understood")})


AT = "2024-05-06T07:08:09Z"
TOLERATED: list[tuple[str, dict[str, Any], Any, set[tuple[str, str]]]] = [
    # missing fields
    ("BootNotification", {"chargePointModel": "M"}, ..., {("chargePointVendor", "missing_field")}),
    ("BootNotification", {"chargePointVendor": "", "chargePointModel": "M"}, ..., set()),
    ("StatusNotification", {"status": "Available", "errorCode": "NoError"}, {}, {("connectorId", "missing_field")}),
    ("StatusNotification", {"connectorId": 1, "status": "Available"}, {}, {("errorCode", "missing_field")}),
    ("Authorize", {}, {"idTagInfo": {"status": "Invalid"}}, {("idTag", "missing_field"), ("idTag", "empty_id_tag")}),
    ("MeterValues", {"connectorId": 1}, {}, {("meterValue", "missing_field")}),
    # extra and null fields
    (
        "Authorize",
        {"idTag": "NOBODY", "connectorId": 1},
        {"idTagInfo": {"status": "Invalid"}},
        {("connectorId", "extra_field")},
    ),
    (
        "BootNotification",
        {"chargePointVendor": "V", "chargePointModel": "M", "iccid": None, "imsi": None},
        ...,
        {("iccid", "null_field"), ("imsi", "null_field")},
    ),
    ("Heartbeat", {"status": "alive"}, ..., {("status", "extra_field")}),
    # words
    ("StatusNotification", status(1, "Faulted", "Error"), {}, {("errorCode", "misspelt_word")}),
    ("StatusNotification", status(1, "available"), {}, {("status", "wrong_case")}),
    ("StatusNotification", status(1, "Flying"), {}, {("status", "own_word")}),
    ("StatusNotification", status(1, "Faulted", "E-17"), {}, {("errorCode", "own_word")}),
    ("StopTransaction", stop(0) | {"reason": "Boredom"}, {}, {("reason", "own_word")}),
    ("StopTransaction", stop(0) | {"reason": "evdisconnected"}, {}, {("reason", "wrong_case")}),
    # wrong types
    ("StatusNotification", status(1, "Available") | {"connectorId": "1"}, {}, {("connectorId", "text_for_number")}),
    ("StatusNotification", status(1, "Available") | {"info": 5}, {}, {("info", "number_for_text")}),
    (
        "MeterValues",
        meter_values(sample(16.5, AT)),
        {},
        {("meterValue[].sampledValue[].value", "number_for_text")},
    ),
    (
        "MeterValues",
        {"connectorId": 1, "meterValue": [{"timestamp": AT, "sampledValue": []}]},
        {},
        {("meterValue[].sampledValue", "empty_list")},
    ),
    (
        "MeterValues",
        {"connectorId": 1, "meterValue": {"timestamp": AT, "sampledValue": {"value": "1"}}},
        {},
        {("meterValue", "element_for_list"), ("meterValue[].sampledValue", "element_for_list")},
    ),
    # lengths
    (
        "BootNotification",
        {"chargePointVendor": "V" * 21, "chargePointModel": "M", "chargePointSerialNumber": "S" * 26},
        ...,
        {("chargePointVendor", "too_long"), ("chargePointSerialNumber", "too_long")},
    ),
    (
        "StopTransaction",
        stop(0) | {"idTag": "T" * 21},
        {"idTagInfo": {"status": "Invalid"}},
        {("idTag", "too_long")},
    ),
    # units and phases
    (
        "MeterValues",
        meter_values(sample("21", AT, measurand="Temperature", unit="Celcius")),
        {},
        set(),
    ),
    (
        "MeterValues",
        meter_values(sample("21", AT, measurand="Temperature", unit="Celsius")),
        {},
        set(),
    ),
    (
        "MeterValues",
        meter_values(sample("50", AT, measurand="Frequency", unit="Hz")),
        {},
        {("meterValue[].sampledValue[].unit", "misspelt_word")},
    ),
    (
        "MeterValues",
        meter_values(sample("16", AT, measurand="Current.Import", unit="A", phase="L1-N")),
        {},
        {("meterValue[].sampledValue[].phase", "phase_to_neutral_of_current")},
    ),
    (
        "MeterValues",
        meter_values(sample("7", AT, measurand="Vendor.Own", unit="furlong", context="whenever", location="roof")),
        {},
        {
            ("meterValue[].sampledValue[].measurand", "own_word"),
            ("meterValue[].sampledValue[].unit", "own_word"),
            ("meterValue[].sampledValue[].context", "own_word"),
            ("meterValue[].sampledValue[].location", "own_word"),
        },
    ),
]


def test_habits_of_real_chargers_are_served_and_recorded(plug: Plug, orm: None) -> None:
    """Rules §1: a normal answer, and what was wrong stands against the station."""
    stations, expected = [], []
    for action, payload, result, rules in TOLERATED:
        station = make_station()
        charger = plug(station)
        answer = charger.call(action, payload, "1")
        assert answer[:2] == [3, "1"], (action, payload, answer)
        if result is not ...:
            assert answer[2] == result, (action, payload)
        assert_serves(charger)
        stations.append(station)
        expected.append((payload, {(action, field, rule) for field, rule in rules}))
    until(
        lambda: [
            (tolerated[1], deviations_of(station)) for tolerated, station in zip(TOLERATED, stations, strict=True)
        ],
        expected,
        4,
    )


def test_deviations_are_counted(charger: Charger, station: Station) -> None:
    """One row for all of a kind, with the first and the last time and the latest sample."""
    for number in range(30):
        charger.result("StatusNotification", status(1, "Faulted", f"E-{number}"))
    rows = Deviation.objects.filter(station=station)
    until(
        lambda: list(rows.values_list("action", "field", "rule", "sample", "count")),
        [("StatusNotification", "errorCode", "own_word", "E-29", 30)],
    )
    found = Deviation.objects.get(station=station)
    assert found.first_seen_at < found.last_seen_at


def test_deviations_of_a_station_are_capped(charger: Charger, station: Station) -> None:
    """DEVIATIONS_MAX_PER_STATION: a charger that is wrong in ever new ways fills no table."""
    for number in range(300):
        charger.send(f'[2,"{number}","Heartbeat",{{"own{number}":1}}]')
    assert [charger.receive()[:2] for _ in range(300)] == [[3, str(number)] for number in range(300)]
    until(lambda: Deviation.objects.filter(station=station).count(), 200)
    time.sleep(1.2)
    assert Deviation.objects.filter(station=station).count() == 200


@pytest.mark.parametrize(
    "value", ["", " ", "NaN", "nan", "Infinity", "-inf", "1,5", "12:30", "0x1F", "9" * 400, "1e400", "☃"]
)
def test_value_that_is_no_number_is_kept_raw(charger: Charger, station: Station, tag: IdTag, value: str) -> None:
    """And out of sums: the running energy stays."""
    transaction_id = charger.result("StartTransaction", start(tag.id_tag))["transactionId"]
    good = meter_values(sample("1500", ago(seconds=30)), transaction_id=transaction_id)
    assert charger.call("MeterValues", good, "1") == [3, "1", {}]
    assert charger.call("MeterValues", meter_values(sample(value), transaction_id=transaction_id), "2") == [3, "2", {}]
    rows = MeterValue.objects.filter(series__station=station).order_by("effective_at")
    assert list(rows.values_list("value", "raw")) == [(1500.0, ""), (None, value)]
    row = Transaction.objects.get(station=station)
    assert [row.energy_wh, row.last_register_wh] == [500.0, 1500.0]


@pytest.mark.parametrize(
    ("value", "unit", "canonical", "raw"),
    [
        ("1500", None, 1500.0, ""),
        ("1.5", "kWh", 1500.0, ""),
        ("1500.00", "Wh", 1500.0, "1500.00"),
        (" 1500", "Wh", 1500.0, " 1500"),
        ("+1500", "Wh", 1500.0, "+1500"),
        ("1.5e3", "Wh", 1500.0, "1.5e3"),
        ("-20", "Wh", -20.0, ""),
    ],
)
def test_value_is_read_and_its_text_reproducible(
    charger: Charger, station: Station, value: str, unit: str | None, canonical: float, raw: str
) -> None:
    fields = {} if unit is None else {"unit": unit}
    assert charger.call("MeterValues", meter_values(sample(value, **fields)), "1") == [3, "1", {}]
    assert list(MeterValue.objects.filter(series__station=station).values_list("value", "raw")) == [(canonical, raw)]


def test_signed_data_is_kept_byte_exact(charger: Charger, station: Station) -> None:
    signed = 'OCMF|{"FV":"1.0","RD":[{"TM":"2024"}]}|{"SD":"3045\u00e4 =="}\r\n '
    assert charger.call("MeterValues", meter_values(sample(signed, format="SignedData")), "1") == [3, "1", {}]
    assert list(MeterValue.objects.filter(series__station=station).values_list("value", "raw")) == [(None, signed)]


BASE: dict[str, dict[str, Any]] = {
    "Authorize": {"idTag": "TAG"},
    "BootNotification": {
        "chargePointVendor": "V", "chargePointModel": "M", "chargePointSerialNumber": "1",
        "chargeBoxSerialNumber": "2", "firmwareVersion": "3",
        "iccid": "4", "imsi": "5", "meterType": "6", "meterSerialNumber": "7",
    },
    "DataTransfer": {"vendorId": "V", "messageId": "M", "data": "D"},
    "DiagnosticsStatusNotification": {"status": "Idle"},
    "FirmwareStatusNotification": {"status": "Idle"},
    "Heartbeat": {"extra": 1},
    "LogStatusNotification": {"status": "Idle", "requestId": 1},
    "MeterValues": {"connectorId": 1, "transactionId": 1, "meterValue": []},
    "SecurityEventNotification": {"type": "T", "timestamp": AT, "techInfo": "I"},
    "SignCertificate": {"csr": "CSR"},
    "SignedFirmwareStatusNotification": {"status": "Idle", "requestId": 1},
    "StartTransaction": {"connectorId": 1, "idTag": "TAG", "meterStart": 1, "timestamp": AT, "reservationId": 1},
    "StatusNotification": {
        "connectorId": 1, "status": "Available", "errorCode": "NoError", "info": "I", "timestamp": AT, "vendorId": "V",
        "vendorErrorCode": "E",
    },
    "StopTransaction": {
        "transactionId": 1, "idTag": "TAG", "meterStop": 1, "timestamp": AT, "reason": "Local", "transactionData": [],
    },
}  # fmt: skip
SAMPLED = {
    "value": "1", "context": "Sample.Periodic", "format": "Raw", "measurand": "SoC", "phase": "L1", "location": "EV",
    "unit": "Percent",
}  # fmt: skip
NASTY = [
    "null", "true", "false", "0", "-1", "99", "2147483648", "9223372036854775808", "-9223372036854775809",
    "99999999999999999999999", "1.5", "-0.0", "1e308", '""', '" "', '"NaN"', '"1,5"', '"0"', r'"\u0000"',
    r'"a\u0000b"', r'"\ud800"', r'"\u001b[31m\n"', f'"{"x" * 1000}"', "\"<b>'; DROP TABLE x; --\"", '"🚗"',
    '"9999-12-31T23:59:59-01:00"', '"0001-01-01T00:00:00+02:00"', "[]", "{}", "[1]", '[null,{},[[]],"x"]',
    r'{"\u0000":{"a":[]}}',
]  # fmt: skip


def nasty_payloads(action: str) -> Iterator[str]:
    """Return payloads that are right but for one field."""
    base = BASE[action]
    lists = {"MeterValues": "meterValue", "StopTransaction": "transactionData"}
    for value in NASTY:
        for field in base:
            fields = {name: json.dumps(kept) for name, kept in base.items()} | {field: value}
            yield "{" + ",".join(f'"{name}":{text}' for name, text in fields.items()) + "}"
        if action in lists:
            head = json.dumps(base | {lists[action]: "HERE"})
            sampled = [json.dumps(SAMPLED | {field: "THERE"}).replace('"THERE"', value) for field in SAMPLED]
            for inner in [f'{{"timestamp":"{AT}","sampledValue":[{text}]}}' for text in sampled] + [
                f'{{"timestamp":{value},"sampledValue":[{{"value":"1"}}]}}',
                f'{{"timestamp":"{AT}","sampledValue":{value}}}',
                f'{{"timestamp":"{AT}","sampledValue":[{value}]}}',
                value,
            ]:
                yield head.replace('"HERE"', f"[{inner}]")


@pytest.mark.parametrize("action", BASE)
def test_no_value_in_any_field_is_our_error(plug: Plug, orm: None, action: str) -> None:
    """Thirty-odd nasty values in every field: never InternalError; billing data is always answered as if valid."""
    charger = plug(make_station())
    payloads = list(nasty_payloads(action))
    for at in range(0, len(payloads), 50):
        chunk = payloads[at : at + 50]
        for number, payload in enumerate(chunk):
            charger.send(f'[2,"{number}","{action}",{payload}]')
        for number, payload in enumerate(chunk):
            answer = charger.receive()
            assert answer[1] == str(number), (payload, answer)
            if answer[0] == 4:
                assert error_of(answer)[1] in VIOLATIONS, (payload, answer)
                assert action not in ("StartTransaction", "StopTransaction", "MeterValues"), (payload, answer)
    assert_serves(charger)
