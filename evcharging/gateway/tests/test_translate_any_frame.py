"""Whatever a charger sends is refused, or what becomes of it fits the columns it goes into."""

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from evcharging.gateway.ocpp16 import translate
from evcharging.gateway.ocpp16.receive import receive
from evcharging.gateway.ocppj import frames
from evcharging.gateway.ocppj.deviations import Applied
from evcharging.gateway.ocppj.normalise import Quirks
from evcharging.ocpp16_schemas import CHARGER_INITIATED, SCHEMAS
from stations.types import BootReport
from status_notifications.types import StatusReport
from transactions.types import StartReport, StopReport

NOON_TEXT = "2026-03-01T12:00:00Z"

TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["", " 0.0", "1e400", "NaN", "\x00", "ẞ" * 300, "x" * 300, NOON_TEXT, "0001-01-01T00:00:00+02:00"]
    ),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**64), 2**64),
    st.sampled_from([2**31, 2**31 - 1, -(2**31) - 1, 2**63, -(2**63), -(2**63) - 1, 0, -1]),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)


def like(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Payloads roughly of the schema's shape: what a charger with a bug sends."""
    kind = schema.get("type")
    if kind == "object":
        fields = {name: like(inner) for name, inner in schema.get("properties", {}).items()}
        shaped = st.fixed_dictionaries({}, optional=fields)
        return st.one_of(
            shaped, shaped, shaped, st.builds(lambda a, b: a | b, shaped, st.dictionaries(TEXTS, SCALARS))
        )
    if kind == "array":
        return st.one_of(st.lists(like(schema["items"]), max_size=3), like(schema["items"]), ANYTHING)
    if "enum" in schema:
        return st.one_of(st.sampled_from(schema["enum"]), SCALARS)
    if kind == "integer":
        return st.one_of(st.integers(0, 9), SCALARS, ANYTHING)
    return st.one_of(SCALARS, ANYTHING)


MESSAGES = st.sampled_from(sorted(CHARGER_INITIATED)).flatmap(
    lambda action: st.tuples(st.just(action), like(SCHEMAS[action]))
)


def translated(action: str, payload: dict[str, Any], original: dict[str, Any], deviations: list[Applied]) -> Any:
    timed: dict[str, Any] = {"zone": ZoneInfo("Asia/Tokyo"), "deviations": deviations}
    whole = timed | {"original": original}
    match action:
        case "Authorize":
            return payload["idTag"]
        case "BootNotification":
            return translate.boot(payload)
        case "DataTransfer":
            return translate.data_transfer(payload)
        case "Heartbeat":
            return None
        case "MeterValues":
            return translate.readings(payload, **whole)
        case "SecurityEventNotification":
            return translate.security_event(payload, **timed)
        case "SignCertificate":
            return translate.sign_certificate(payload)
        case "StartTransaction":
            return translate.start(payload, **whole)
        case "StatusNotification":
            return translate.status(payload, **timed)
        case "StopTransaction":
            return translate.stop(payload, **whole)
        case _:
            return translate.progress(action, payload)


def assert_storable(value: Any) -> None:
    """Hold every scalar within against what PostgreSQL takes."""
    match value:
        case None | bool() | bytes():
            pass
        case str():
            assert "\x00" not in value
            value.encode()
        case int():
            assert -(2**63) <= value < 2**63
        case Decimal():
            assert value == value.quantize(Decimal("0.001"))
            assert abs(value) < 2**63
        case float():
            assert math.isfinite(value)
        case datetime():
            assert value.utcoffset() is not None
            assert 1 <= value.astimezone(UTC).year <= 9999
        case tuple() | list():
            for item in value:
                assert_storable(item)
        case _:
            pytest.fail(f"{value!r} of an unexpected kind")


def assert_json_storable(value: Any) -> None:
    """Hold every text against what jsonb takes; its numbers may have any size."""
    match value:
        case str():
            assert_storable(value)
        case list():
            for item in value:
                assert_json_storable(item)
        case dict():
            for key, item in value.items():
                assert_json_storable(key)
                assert_json_storable(item)
        case _:
            pass


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(MESSAGES, st.sampled_from(["", "strip_serial_suffix", "first_of_list"]))
@example(("StartTransaction", {}), "")
@example(("StartTransaction", {"connectorId": 1, "idTag": "T", "meterStart": 2**63, "timestamp": NOON_TEXT}), "")
@example(("StopTransaction", {"transactionId": 2**40, "meterStop": -(2**63), "timestamp": NOON_TEXT}), "")
@example(("StopTransaction", {}), "")
@example(("StartTransaction", {"connectorId": 2**31, "idTag": "ẞ" * 300, "meterStart": 2**63}), "")
@example(("StopTransaction", {"transactionData": [{"sampledValue": [{"value": "1e400", "unit": "kWh"}]}]}), "")
def test_whatever_arrives_is_refused_or_storable(message: tuple[str, Any], id_tag_transform: str) -> None:
    action, sent = message
    call = frames.parse(frames.call("1", action, _without_halves(sent)))
    if not isinstance(call, frames.Call):
        return
    received = receive(action, call.payload, Quirks(id_tag_transform=id_tag_transform))
    assert_json_storable(call.payload)
    if received.error is not None:
        assert received.error.code.endswith("Violation")
        return
    report = translated(action, received.payload, call.payload, received.deviations)
    assert_storable(report)
    assert_json_storable(received.payload)
    assert_storable([*received.deviations, *call.deviations])
    _assert_fits(action, report)
    for applied in received.deviations:
        assert max(len(applied.field), len(applied.sample)) <= 200


def _without_halves(value: Any) -> Any:
    """The value as JSON can say it: integers within 64 bits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return max(-(2**63), min(value, 2**64 - 1))
    if isinstance(value, list):
        return [_without_halves(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_halves(item) for key, item in value.items()}
    return value


def _assert_fits(action: str, report: Any) -> None:
    """Hold what comes out against the columns that it goes into."""
    match report:
        case BootReport():
            assert max(len(text) for text in report) <= 255
        case StatusReport():
            assert 0 <= report.connector_id < 2**31
            assert max(len(text) for text in (report.vendor_id, report.vendor_error_code)) <= 255
            assert len(report.error_code) <= 50
            assert len(report.status) <= 50
        case StartReport():
            assert 0 <= report.connector_id < 2**31
            assert len(report.id_tag.strip().casefold()) <= 255
            assert report.reservation_id is None or abs(report.reservation_id) < 2**31
            assert max(len(report.meter_start_raw or ""), len(report.timestamp_raw or "")) <= 255
        case StopReport():
            assert report.transaction_id is None or 0 < report.transaction_id < 2**31
            assert len(report.transaction_ref) <= 255
            assert len((report.id_tag or "").casefold()) <= 255
            assert len(report.reason) <= 50
            assert len(report.content_hash) == 16
        case (connector_id, transaction_id, transaction_ref, _) if action == "MeterValues":
            assert 0 <= connector_id < 2**31
            assert transaction_id is None or 0 < transaction_id < 2**31
            assert len(transaction_ref) <= 255
