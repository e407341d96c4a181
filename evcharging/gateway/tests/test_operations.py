"""OCPP 1.6 as a dialect: every frame that its schema takes is an operation, and is said by it to the letter."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evcharging.gateway.ocpp16.dialect import OCPP16
from evcharging.gateway.ocpp16.operation_tables import SAID
from evcharging.ocpp16_schemas import CSMS_INITIATED, SCHEMAS
from stations.dialects import Frame, Unsayable, Verdict
from stations.file_operations import UploadLog
from stations.operations import OPERATIONS, RawFrame, Reset, TriggerMessage, read_operation
from transactions.operations import StopCharging

DIALECT = OCPP16.operations
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a schema of OCPP 1.6 takes."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type", "object")
    if kind == "object":
        properties, required = schema.get("properties", {}), set(schema.get("required", ()))
        return st.fixed_dictionaries(
            {name: values(properties[name]) for name in required},
            optional={name: values(inner) for name, inner in properties.items() if name not in required},
        )
    if kind == "array":
        return st.lists(values(schema["items"]), min_size=schema.get("minItems", 0), max_size=3)
    if kind == "string" and schema.get("format") == "uri":
        return st.sampled_from(["ftp://files/log", "https://files.example/f.bin"])
    if kind == "string" and schema.get("format") == "date-time":
        return st.sampled_from(["2030-01-01T00:00:00Z", "2030-01-01T00:00:00.5+02:00"])
    if kind == "number":
        return st.one_of(st.integers(0, 100), st.integers(0, 1000).map(lambda tenths: tenths / 10))
    return {"string": TEXTS, "integer": st.integers(-(2**53), 2**53), "boolean": st.booleans()}[kind]


frames = st.sampled_from(sorted(CSMS_INITIATED)).flatmap(
    lambda action: st.tuples(st.just(action), values(SCHEMAS[action]))
)


@settings(max_examples=400)
@given(frames)
def test_frame_is_said_again_by_its_operation(frame):
    action, payload = frame
    if DIALECT.problem(Frame(action, payload)) is not None:
        return  # a length or a step of 0.1 that no strategy here minds
    operation = DIALECT.operation(action, payload)
    assert operation is not None
    assert DIALECT.frame(operation) == (action, payload)
    assert read_operation(operation.name, operation.to_json()) == operation


def test_every_action_and_every_operation_is_in_the_tables():
    assert {said.action for said in SAID} == CSMS_INITIATED
    assert {said.operation.name for said in SAID} == set(OPERATIONS)


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("Reset", {"type": "Soft", "more": 1}),
        ("Reset", {"type": "Warm"}),
        ("Reset", {}),
        ("GetLog", {"log": {"remoteLocation": "ftp://x", "more": 1}, "logType": "SecurityLog", "requestId": 1}),
        ("GetLog", {"log": 5, "logType": "SecurityLog", "requestId": 1}),
        ("RemoteStopTransaction", {"transactionId": "seven"}),
        ("SendLocalList", {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [5]}),
        ("SendLocalList", {"listVersion": 1, "updateType": "Full", "localAuthorizationList": "TAG"}),
        ("TriggerMessage", {"requestedMessage": ["Heartbeat"]}),
        ("Unheard", {}),
    ],
)
def test_frame_that_says_anything_else_is_no_operation(action, payload):
    assert DIALECT.operation(action, payload) is None


def test_integer_written_with_a_fraction_of_nothing_is_one():
    payload = {"log": {"remoteLocation": "ftp://x"}, "logType": "SecurityLog", "requestId": 7.0}
    assert DIALECT.operation("GetLog", payload) == UploadLog(log="security", request_id=7, location="ftp://x")


def test_reference_that_is_no_number_cannot_be_said():
    for ref in ("", "T-7", "007", "7.0", "٧"):
        with pytest.raises(Unsayable):
            DIALECT.frame(StopCharging(transaction_ref=ref))
    assert DIALECT.frame(StopCharging(transaction_ref="7")) == ("RemoteStopTransaction", {"transactionId": 7})


def test_message_of_another_version_cannot_be_said():
    with pytest.raises(Unsayable):
        DIALECT.frame(TriggerMessage(message="transaction_event"))
    with pytest.raises(Unsayable):
        DIALECT.frame(RawFrame("ocpp2.0.1", "Reset", {"type": "OnIdle"}))
    assert DIALECT.frame(RawFrame("ocpp1.6", "Anything", {"a": 1})) == ("Anything", {"a": 1})


@pytest.mark.parametrize(
    ("action", "status", "verdict", "is_yes"),
    [
        ("Reset", "Accepted", Verdict.ACCEPTED, True),
        ("Reset", "Rejected", Verdict.REJECTED, False),
        ("Reset", "Perhaps", Verdict.UNKNOWN, False),
        ("ChangeAvailability", "Scheduled", Verdict.SCHEDULED, True),
        ("ChangeConfiguration", "RebootRequired", Verdict.AFTER_REBOOT, True),
        ("ChangeConfiguration", "NotSupported", Verdict.NOT_SUPPORTED, False),
        ("UnlockConnector", "Unlocked", Verdict.ACCEPTED, True),
        ("UnlockConnector", "UnlockFailed", Verdict.REJECTED, False),
        ("SendLocalList", "VersionMismatch", Verdict.OUT_OF_STEP, False),
        ("SendLocalList", "Failed", Verdict.OUT_OF_STEP, False),
        ("ClearChargingProfile", "Unknown", Verdict.NOT_FOUND, False),
        ("GetInstalledCertificateIds", "NotFound", Verdict.NOT_FOUND, True),
        ("GetConfiguration", "", Verdict.ACCEPTED, True),
        ("GetLocalListVersion", "", Verdict.ACCEPTED, True),
        ("Unheard", "", Verdict.ACCEPTED, True),
        ("Unheard", "Accepted", Verdict.ACCEPTED, True),
        ("Unheard", "No", Verdict.UNKNOWN, False),
    ],
)
def test_answer_means(action, status, verdict, is_yes):
    reading = DIALECT.reading(action, status, {})
    assert (reading.verdict, reading.is_yes) == (verdict, is_yes)


def test_answer_is_told_in_words_of_the_domain_and_odd_members_as_they_came():
    told = {
        "configurationKey": [{"key": "A", "readonly": 0, "value": "1", "unit": "s"}, "odd"],
        "unknownKey": ["B"],
        "vendor": 1,
    }
    assert DIALECT.reading("GetConfiguration", "", told).result == {
        "keys": [{"key": "A", "is_readonly": 0, "value": "1", "unit": "s"}, "odd"],
        "unknown": ["B"],
        "vendor": 1,
    }
    assert DIALECT.reading("GetConfiguration", "", []).result is None
    assert DIALECT.reading("Reset", "Accepted", {"status": "Accepted"}).result is None


def test_secret_is_known_by_its_key_alone():
    assert DIALECT.secret_member(Frame("ChangeConfiguration", {"key": " AuthorizationKey ", "value": "x"})) == "value"
    assert DIALECT.secret_member(Frame("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "x"})) is None
    assert DIALECT.secret_member(Frame("Reset", {"key": "AuthorizationKey"})) is None
    assert DIALECT.secret_member(DIALECT.frame(Reset(is_immediate=True))) is None
