"""The schema gate: error codes of OCPP-J 1.6, directions, and what must pass."""

from typing import Any

import pytest

from evcharging import ocpp16_schemas as schemas
from evcharging.ocpp16_schemas import CHARGER_INITIATED, CSMS_INITIATED, SchemaError, request_error, response_error

BOOT = {"chargePointVendor": "ABB", "chargePointModel": "Terra"}
STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
METER_VALUES = {"connectorId": 1, "meterValue": [{"timestamp": "x", "sampledValue": [{"value": "1"}]}]}


def profile(limit: Any) -> dict[str, Any]:
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}
    return {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Absolute", "chargingSchedule": schedule,
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("action", "payload", "code", "field"),
    [
        ("BootNotification", {"chargePointVendor": "ABB"}, "OccurenceConstraintViolation", ""),
        ("BootNotification", BOOT | {"imsi": 5}, "TypeConstraintViolation", "imsi"),
        ("BootNotification", BOOT | {"imsi": "5" * 21}, "PropertyConstraintViolation", "imsi"),
        ("BootNotification", BOOT | {"extra": 1}, "FormationViolation", ""),
        ("StatusNotification", STATUS | {"status": "Occupied"}, "PropertyConstraintViolation", "status"),
        ("StatusNotification", STATUS | {"connectorId": "1"}, "TypeConstraintViolation", "connectorId"),
        ("StatusNotification", STATUS | {"connectorId": True}, "TypeConstraintViolation", "connectorId"),
        ("MeterValues", {"connectorId": 1, "meterValue": []}, "OccurenceConstraintViolation", "meterValue"),
        (
            "MeterValues",
            {"connectorId": 1, "meterValue": [{"timestamp": "x", "sampledValue": [{"value": 1}]}]},
            "TypeConstraintViolation",
            "meterValue[].sampledValue[].value",
        ),
        ("SetChargingProfile", profile(21.45), "PropertyConstraintViolation",
         "csChargingProfiles.chargingSchedule.chargingSchedulePeriod[].limit"),
    ],
)  # fmt: skip
def test_error_code_and_field_of_request(action: str, payload: dict[str, Any], code: str, field: str) -> None:
    error = request_error(action, payload)
    assert error is not None
    assert (error.code, error.field) == (code, field)


def test_error_says_nothing_of_the_value() -> None:
    assert request_error("Authorize", {"idTag": "0123456789abcdefghijk"}) == SchemaError(
        "PropertyConstraintViolation", "idTag", "the value is longer than 20 characters"
    )


def test_valid_request_has_no_error() -> None:
    assert request_error("BootNotification", BOOT) is None


def test_times_of_chargers_are_not_checked_here() -> None:
    assert request_error("MeterValues", METER_VALUES) is None


def test_our_own_times_are_checked() -> None:
    answer = {"status": "Accepted", "interval": 300, "currentTime": "2026-03-01T12:00:00.000Z"}
    assert response_error("BootNotification", answer) is None
    assert response_error("BootNotification", answer | {"currentTime": "now"}) == SchemaError(
        "PropertyConstraintViolation", "currentTime", 'the value is not a "date-time"'
    )


@pytest.mark.parametrize("limit", [21.4, 0.1, 0.3, 16, 6.0, 32.7, 1000000.1, 0])
def test_limit_in_tenths_is_a_multiple_of_a_tenth(limit: float) -> None:
    assert request_error("SetChargingProfile", profile(limit)) is None


def test_every_tenth_up_to_ten_thousand_passes() -> None:
    assert [tenths for tenths in range(100_000) if request_error("SetChargingProfile", profile(tenths / 10))] == []


def test_error_in_a_payload_nested_too_deep() -> None:
    deep: Any = 1
    for _ in range(1000):
        deep = [deep]
    error = request_error("MeterValues", {"connectorId": deep})
    assert error == SchemaError("FormationViolation", "", "the payload is nested too deep")


@pytest.mark.parametrize("action", sorted(CHARGER_INITIATED | CSMS_INITIATED))
def test_every_action_has_both_schemas(action: str) -> None:
    assert schemas.is_known(action)
    assert request_error(action, None) == SchemaError(
        "TypeConstraintViolation", "", 'the value is not of type "object"'
    )
    assert response_error(action, None) == SchemaError(
        "TypeConstraintViolation", "", 'the value is not of type "object"'
    )


def test_actions_by_direction() -> None:
    assert len(CHARGER_INITIATED) == 14
    assert len(CSMS_INITIATED) == 26
    assert {"DataTransfer"} == CHARGER_INITIATED & CSMS_INITIATED


@pytest.mark.parametrize(
    "action", ["heartbeat", "Heartbeat ", "TransactionEvent", "", "HeartbeatResponse", "__class__"]
)
def test_action_of_another_spelling_or_version_is_unknown(action: str) -> None:
    assert schemas.is_known(action) is False


def test_definitions_are_resolved() -> None:
    assert schemas.SCHEMAS["LogStatusNotification"]["properties"]["status"]["type"] == "string"
