"""What real chargers get wrong: recorded messages, what is made of them, and which rules it took."""

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evcharging.gateway.ocpp16.receive import receive
from evcharging.gateway.ocppj.deviations import Applied, note
from evcharging.gateway.ocppj.normalise import Quirks
from evcharging.ocpp16_schemas import CHARGER_INITIATED, SchemaError

NOON = "2026-03-01T12:00:00Z"
START = {"connectorId": 1, "idTag": "TAG", "meterStart": 0, "timestamp": NOON}
STOP = {"transactionId": 7, "idTag": "TAG", "meterStop": 900, "timestamp": NOON}
STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Available", "timestamp": NOON}
BOOT = {"chargePointVendor": "ABB", "chargePointModel": "Terra"}


def rules(deviations: list[Applied]) -> list[tuple[str, str]]:
    return [(applied.rule, applied.field) for applied in deviations]


def sample(**sampled: Any) -> dict[str, Any]:
    return {"connectorId": 1, "meterValue": [{"timestamp": NOON, "sampledValue": [sampled]}]}


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("Authorize", {"idTag": "TAG"}),
        ("BootNotification", BOOT),
        ("Heartbeat", {}),
        ("StatusNotification", STATUS | {"info": "", "vendorId": "com.wallbox", "vendorErrorCode": ""}),
        ("StartTransaction", START),
        ("StopTransaction", STOP),
        ("MeterValues", sample(value="1")),
    ],
)
def test_payload_as_specified_passes_untouched(action: str, payload: dict[str, Any]) -> None:
    received = receive(action, payload, Quirks())
    assert received.payload is payload
    assert (received.deviations, received.error) == ([], None)


@pytest.mark.parametrize(
    ("action", "sent", "changed", "expected"),
    [
        # Numbers for texts and texts for numbers.
        (
            "StatusNotification",
            STATUS | {"connectorId": "1"},
            {"connectorId": 1},
            [("text_for_number", "connectorId")],
        ),
        (
            "StatusNotification",
            STATUS | {"connectorId": " 1 "},
            {"connectorId": 1},
            [("text_for_number", "connectorId")],
        ),
        (
            "StatusNotification",
            STATUS | {"connectorId": 1.0},
            {"connectorId": 1},
            [("fraction_for_integer", "connectorId")],
        ),
        (
            "StartTransaction",
            START | {"meterStart": " 0.0"},
            {"meterStart": 0},
            [("text_for_number", "meterStart"), ("fraction_for_integer", "meterStart")],
        ),
        (
            "StartTransaction",
            START | {"meterStart": 12.5},
            {"meterStart": 12.5},
            [("fraction_for_integer", "meterStart")],
        ),
        (
            "StopTransaction",
            STOP | {"meterStop": "1234.5"},
            {"meterStop": 1234.5},
            [("text_for_number", "meterStop"), ("fraction_for_integer", "meterStop")],
        ),
        ("StartTransaction", START | {"idTag": 12345678}, {"idTag": "12345678"}, [("number_for_text", "idTag")]),
        (
            "BootNotification",
            BOOT | {"imsi": 262011234567890},
            {"imsi": "262011234567890"},
            [("number_for_text", "imsi")],
        ),
        # Enum case and spelling.
        ("StatusNotification", STATUS | {"status": "available"}, {"status": "Available"}, [("wrong_case", "status")]),
        (
            "StatusNotification",
            STATUS | {"status": "SuspendedEVSE "},
            {"status": "SuspendedEVSE"},
            [("wrong_case", "status")],
        ),
        (
            "StatusNotification",
            STATUS | {"errorCode": "Error"},
            {"errorCode": "OtherError"},  # Legrand
            [("misspelt_word", "errorCode")],
        ),
        (
            "StatusNotification",
            STATUS | {"errorCode": "E42"},
            {"errorCode": "OtherError"},
            [("own_word", "errorCode")],
        ),
        ("StatusNotification", STATUS | {"status": "Waiting"}, {"status": "Waiting"}, [("own_word", "status")]),
        ("StopTransaction", STOP | {"reason": "local"}, {"reason": "Local"}, [("wrong_case", "reason")]),
        ("StopTransaction", STOP | {"reason": "StoppedByUser"}, {"reason": "Other"}, [("own_word", "reason")]),
        ("FirmwareStatusNotification", {"status": "Verifying"}, {"status": "Verifying"}, [("own_word", "status")]),
        # Over-long texts are kept.
        (
            "BootNotification",
            BOOT | {"chargePointSerialNumber": "S" * 40},
            {},
            [("too_long", "chargePointSerialNumber")],
        ),
        ("StartTransaction", START | {"idTag": "T" * 21}, {}, [("too_long", "idTag")]),
        ("StopTransaction", STOP | {"idTag": "T" * 36}, {}, [("too_long", "idTag")]),
        ("StatusNotification", STATUS | {"info": "i" * 99}, {}, [("too_long", "info")]),
        # Not our business to judge: an id of no transaction is kept as a number.
        (
            "StopTransaction",
            STOP | {"transactionId": "7"},
            {"transactionId": 7},
            [("text_for_number", "transactionId")],
        ),
        ("StopTransaction", STOP | {"transactionId": -1}, {}, []),
        # Ids that no column holds.
        (
            "StartTransaction",
            START | {"connectorId": 2**31},
            {"connectorId": 0},
            [("impossible_connector_id", "connectorId")],
        ),
        (
            "StartTransaction",
            START | {"connectorId": -1},
            {"connectorId": 0},
            [("impossible_connector_id", "connectorId")],
        ),
        # Tags stay as they are.
        ("StartTransaction", START | {"idTag": "336699\\\\\\"}, {}, []),
        ("StartTransaction", START | {"idTag": "'; DROP TABLE"}, {}, []),
        ("StartTransaction", START | {"idTag": "<b>TAG</b>"}, {}, []),
        ("StartTransaction", START | {"idTag": "A\x1b[31m"}, {}, [("unprintable_id_tag", "idTag")]),
        ("StartTransaction", START | {"idTag": "AB\ufffd"}, {}, []),
        ("StartTransaction", START | {"idTag": ""}, {}, [("empty_id_tag", "idTag")]),
        ("StartTransaction", START | {"idTag": " TAG "}, {"idTag": "TAG"}, [("id_tag_trimmed", "idTag")]),
    ],
)
def test_value_is_put_right(
    action: str, sent: dict[str, Any], changed: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    original = copy.deepcopy(sent)
    received = receive(action, sent, Quirks())
    assert received.error is None
    assert received.payload == sent | changed
    assert rules(received.deviations) == expected
    assert sent == original


@pytest.mark.parametrize(
    ("action", "sent", "left", "expected"),
    [
        ("Authorize", {"idTag": "TAG", "connectorId": 1}, {"idTag": "TAG"}, [("extra_field", "connectorId")]),
        ("Heartbeat", {"uptime": 5}, {}, [("extra_field", "uptime")]),
        ("BootNotification", BOOT | {"iccid": None}, BOOT, [("null_field", "iccid")]),
        ("BootNotification", BOOT | {"vendorKey": {"a": 1}}, BOOT, [("extra_field", "vendorKey")]),
        ("StartTransaction", START | {"reservationId": None}, START, [("null_field", "reservationId")]),
        ("StartTransaction", START | {"reservationId": ""}, START, [("empty_field", "reservationId")]),
        ("StartTransaction", START | {"reservationId": "none"}, START, [("unreadable_value", "reservationId")]),
        (
            "StartTransaction",
            START | {"reservationId": 1.5},
            START,
            [("fraction_for_integer", "reservationId"), ("unreadable_value", "reservationId")],
        ),
        ("StopTransaction", STOP | {"reason": None}, STOP, [("null_field", "reason")]),
        ("StopTransaction", STOP | {"reason": ""}, STOP, [("unreadable_value", "reason")]),
        ("LogStatusNotification", {"status": "Idle", "x": 1}, {"status": "Idle"}, [("extra_field", "x")]),
    ],
)
def test_field_that_means_nothing_is_left_out(
    action: str, sent: dict[str, Any], left: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    received = receive(action, sent, Quirks())
    assert (received.payload, rules(received.deviations), received.error) == (left, expected, None)


@pytest.mark.parametrize(
    ("action", "sent", "missing", "read"),
    [
        ("BootNotification", BOOT, "chargePointVendor", {"chargePointVendor": ""}),
        ("BootNotification", BOOT, "chargePointModel", {"chargePointModel": ""}),
        ("StatusNotification", STATUS, "errorCode", {"errorCode": "NoError"}),
        ("StatusNotification", STATUS, "connectorId", {"connectorId": 0}),
        ("StartTransaction", START, "connectorId", {"connectorId": 0}),
        ("StartTransaction", START, "idTag", {"idTag": ""}),
        ("StartTransaction", START, "meterStart", {}),  # Huawei
        ("StartTransaction", START, "timestamp", {}),
        ("StopTransaction", STOP, "transactionId", {}),
        ("StopTransaction", STOP, "meterStop", {}),
        ("StopTransaction", STOP, "timestamp", {}),
        ("MeterValues", sample(value="1"), "connectorId", {"connectorId": 0}),
        ("SecurityEventNotification", {"type": "a", "timestamp": NOON}, "timestamp", {}),
    ],
)
@pytest.mark.parametrize("spelling", ["absent", "null"])
def test_missing_field_means_something(
    action: str, sent: dict[str, Any], missing: str, read: dict[str, Any], spelling: str
) -> None:
    rest = {name: value for name, value in sent.items() if name != missing}
    received = receive(action, rest if spelling == "absent" else rest | {missing: None}, Quirks())
    assert received.error is None
    assert received.payload == rest | read
    assert ("missing_field", missing) in rules(received.deviations)


@pytest.mark.parametrize(
    ("action", "payload", "code", "field"),
    [
        ("StatusNotification", {"connectorId": 1, "errorCode": "NoError"}, "OccurenceConstraintViolation", "status"),
        ("StatusNotification", STATUS | {"status": 5.5} | {"status": {}}, "TypeConstraintViolation", "status"),
        ("StatusNotification", STATUS | {"connectorId": -1}, "PropertyConstraintViolation", "connectorId"),
        ("StatusNotification", STATUS | {"connectorId": 2**31}, "PropertyConstraintViolation", "connectorId"),
        ("StatusNotification", STATUS | {"connectorId": 2**63}, "PropertyConstraintViolation", "connectorId"),
        ("SignCertificate", {}, "OccurenceConstraintViolation", "csr"),
        ("SignCertificate", {"csr": ["a"]}, "TypeConstraintViolation", "csr"),
        ("FirmwareStatusNotification", {}, "OccurenceConstraintViolation", "status"),
    ],
)
def test_what_cannot_be_understood_is_refused(action: str, payload: dict[str, Any], code: str, field: str) -> None:
    error = receive(action, payload, Quirks()).error
    assert error is not None
    assert (error.code, error.field) == (code, field)


@pytest.mark.parametrize("action", ["StartTransaction", "StopTransaction", "MeterValues"])
@pytest.mark.parametrize("junk", [None, True, -1, 1.5, 2**63, "", "x", [], {}, [[]], {"a": {}}])
def test_billing_data_is_never_refused(action: str, junk: Any) -> None:
    names = {
        "StartTransaction": START,
        "StopTransaction": STOP | {"reason": "", "transactionData": []},
        "MeterValues": sample(value="1") | {"transactionId": 1},
    }[action]
    assert receive(action, {}, Quirks()).error is None
    assert receive(action, dict.fromkeys(names, junk), Quirks()).error is None


@pytest.mark.parametrize(
    ("transform", "sent", "read"),
    [
        ("", "TAG_0042", "TAG_0042"),
        ("strip_serial_suffix", "TAG_0042", "TAG"),
        ("strip_serial_suffix", "TAG", "TAG"),
        ("first_of_list", "TAG;OTHER;", "TAG"),
        ("first_of_list", "TAG", "TAG"),
    ],
)
@pytest.mark.parametrize("action", ["Authorize", "StartTransaction", "StopTransaction"])
def test_tag_as_the_station_means_it(action: str, transform: str, sent: str, read: str) -> None:
    payload = {"Authorize": {}, "StartTransaction": START, "StopTransaction": STOP}[action] | {"idTag": sent}
    received = receive(action, payload, Quirks(id_tag_transform=transform))
    assert received.payload == payload | {"idTag": read}


@pytest.mark.parametrize(("character", "length"), [("T", 255), ("ẞ", 85), ("ﬃ", 85)])
def test_tag_beyond_its_column_is_cut_to_what_folds_into_it(character: str, length: int) -> None:
    received = receive("StartTransaction", START | {"idTag": character * 500}, Quirks())
    assert received.payload["idTag"] == character * length


def test_extra_field_of_any_name_fits_the_deviation() -> None:
    [applied] = receive("Heartbeat", {"x" * 999: "y" * 999}, Quirks()).deviations
    assert applied == Applied("extra_field", "x" * 200, "y" * 200)


def test_a_hundred_thousand_extra_fields_are_noted_fifty_times() -> None:
    received = receive("Heartbeat", {f"k{number}": 1 for number in range(100_000)}, Quirks())
    assert (received.payload, len(received.deviations), received.error) == ({}, 50, None)


def test_deviation_is_noted_once_per_rule_and_field() -> None:
    applied: list[Applied] = []
    note(applied, "rule", "field", "first")
    note(applied, "rule", "field", "second")
    note(applied, "rule", "other", {"a": "\x00"})
    assert applied == [Applied("rule", "field", "first"), Applied("rule", "other", '{"a":"\\u0000"}')]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(sorted(CHARGER_INITIATED)), st.dictionaries(st.text(), ANYTHING))
def test_any_payload_is_received_or_refused(action: str, payload: dict[str, Any]) -> None:
    received = receive(action, payload, Quirks())
    assert received.error is None or isinstance(received.error, SchemaError)
    assert all(type(applied) is Applied for applied in received.deviations)
