"""What chargers get wrong in MeterValues, and which rules it takes to read them."""

from typing import Any

import pytest

from evcharging.gateway.ocpp16.receive import receive
from evcharging.gateway.ocppj.deviations import Applied
from evcharging.gateway.ocppj.normalise import Quirks

NOON = "2026-03-01T12:00:00Z"


def rules(deviations: list[Applied]) -> list[tuple[str, str]]:
    return [(applied.rule, applied.field) for applied in deviations]


def sample(**sampled: Any) -> dict[str, Any]:
    return {"connectorId": 1, "meterValue": [{"timestamp": NOON, "sampledValue": [sampled]}]}


PATH = "meterValue[].sampledValue[]"


@pytest.mark.parametrize(
    ("sent", "read", "expected"),
    [
        ({"value": 12.5}, {"value": "12.5"}, [("number_for_text", "value")]),  # OpenEVSE
        ({"value": None}, {"value": ""}, [("null_field", "value"), ("missing_field", "value")]),
        ({"value": "1", "unit": "Hz"}, {"unit": "Hertz"}, [("misspelt_word", "unit")]),
        ({"value": "1", "unit": "kwh"}, {"unit": "kWh"}, [("wrong_case", "unit")]),
        ({"value": "1", "unit": "KWH"}, {"unit": "kWh"}, [("wrong_case", "unit")]),
        ({"value": "1", "unit": "celsius"}, {"unit": "Celsius"}, [("wrong_case", "unit")]),
        ({"value": "1", "unit": "%"}, {"unit": "Percent"}, [("misspelt_word", "unit")]),
        ({"value": "1", "unit": "bar"}, {}, [("own_word", "unit")]),
        (
            {"value": "1", "measurand": "Current.Import\n"},
            {"measurand": "Current.Import"},
            [("wrong_case", "measurand")],
        ),
        ({"value": "1", "measurand": "soc"}, {"measurand": "SoC"}, [("wrong_case", "measurand")]),
        ({"value": "1", "measurand": "com.acme.Fan"}, {}, [("own_word", "measurand")]),
        ({"value": "1", "phase": "l1"}, {"phase": "L1"}, [("wrong_case", "phase")]),
        ({"value": "1", "phase": "L4"}, {}, [("own_word", "phase")]),
        ({"value": "1", "context": "sample.periodic"}, {"context": "Sample.Periodic"}, [("wrong_case", "context")]),
    ],
)
def test_sampled_value_is_put_right(
    sent: dict[str, Any], read: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    received = receive("MeterValues", sample(**sent), Quirks())
    assert received.error is None
    assert received.payload["meterValue"][0]["sampledValue"] == [sent | read]
    assert rules(received.deviations) == [(rule, f"{PATH}.{name}") for rule, name in expected]


@pytest.mark.parametrize("unit", ["Celcius", "Celsius", "Hertz"])
def test_both_spellings_of_the_specification_are_no_deviation(unit: str) -> None:
    assert receive("MeterValues", sample(value="1", unit=unit), Quirks()).deviations == []


@pytest.mark.parametrize(
    ("meter_value", "read", "expected"),
    [
        ([], [], [("empty_list", "meterValue")]),
        (
            [{"timestamp": NOON, "sampledValue": []}],
            [{"timestamp": NOON, "sampledValue": []}],  # Sonnen
            [("empty_list", "meterValue[].sampledValue")],
        ),
        (
            {"timestamp": NOON, "sampledValue": [{"value": "1"}]},
            [{"timestamp": NOON, "sampledValue": [{"value": "1"}]}],
            [("element_for_list", "meterValue")],
        ),  # Huawei
        (
            [{"timestamp": NOON, "sampledValue": {"value": "1"}}],
            [{"timestamp": NOON, "sampledValue": [{"value": "1"}]}],
            [("element_for_list", "meterValue[].sampledValue")],
        ),
        (
            [{"timestamp": NOON, "sampledValue": [None, {"value": "1"}]}],
            [{"timestamp": NOON, "sampledValue": [{"value": "1"}]}],
            [("unreadable_element", "meterValue[].sampledValue[]")],
        ),
        (
            [{"sampledValue": [{"value": "1"}]}],
            [{"sampledValue": [{"value": "1"}]}],
            [("missing_field", "meterValue[].timestamp")],
        ),
        ("none", [], [("unreadable_value", "meterValue"), ("missing_field", "meterValue")]),
    ],
)
def test_meter_values_of_another_shape(meter_value: Any, read: Any, expected: list[tuple[str, str]]) -> None:
    received = receive("MeterValues", {"connectorId": 1, "meterValue": meter_value}, Quirks())
    assert received.error is None
    assert received.payload["meterValue"] == read
    assert rules(received.deviations) == expected
