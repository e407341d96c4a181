"""OCPP-J framing: the table of bad input, recorded broken frames, and any text at all."""

import time
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evcharging.gateway.ocppj import frames
from evcharging.gateway.ocppj.deviations import Applied
from evcharging.gateway.ocppj.frames import BrokenAnswer, Call, CallError, CallResult, Ignored, Malformed, parse

FORMATION = "FormationViolation"


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ('[2,"1","Heartbeat",{}]', Call("1", "Heartbeat", {})),
        ('[2,"1","Heartbeat",null]', Call("1", "Heartbeat", {})),
        (' [ 2 , "1" , "Heartbeat" , { } ] \n', Call("1", "Heartbeat", {})),
        ('[2,"a\\"b","Heartbeat",{}]', Call('a"b', "Heartbeat", {})),
        ('[2,"a\\u0000b","Heartbeat",{}]', Call("a\x00b", "Heartbeat", {})),
        ('[2,"","Heartbeat",{}]', Call("", "Heartbeat", {})),
        ('[2,"1","heartbeat",{}]', Call("1", "heartbeat", {})),
        ('[3,"1",{"status":"Accepted"}]', CallResult("1", {"status": "Accepted"})),
        ('[3,"1",null]', CallResult("1", {})),
        ("[3,5,{}]", CallResult(5, {})),
        ('[4,"1","InternalError","why",{"a":1}]', CallError("1", "InternalError", "why", {"a": 1})),
        ('[4,"1","FormationViolation",""]', CallError("1", "FormationViolation", "", {})),  # Grizzl-E
    ],
)
def test_readable_frame(text: str, frame: frames.Frame) -> None:
    found = parse(text)
    assert found[:3] == frame[:3]
    assert type(found) is type(frame)


@pytest.mark.parametrize(
    ("text", "unique_id", "echoed"),
    [
        ('[2,7,"Heartbeat",{}]', 7, "7"),
        ('[2,7.5,"Heartbeat",{}]', 7.5, "7.5"),
        ('[2,-7,"Heartbeat",{}]', -7, "-7"),
        ('[2,18446744073709551615,"Heartbeat",{}]', 2**64 - 1, "18446744073709551615"),
    ],
)
def test_number_as_message_id_is_echoed_and_noted(text: str, unique_id: Any, echoed: str) -> None:
    call = parse(text)
    assert call == Call(unique_id, "Heartbeat", {}, (Applied("message_id_not_text", "", echoed),))
    assert frames.call_result(call.unique_id, {}) == f"[3,{echoed},{{}}]"


def test_long_message_id_is_echoed_and_noted() -> None:
    long = "0123456789" * 4
    call = parse(f'[2,"{long}","Heartbeat",{{}}]')
    assert call == Call(long, "Heartbeat", {}, (Applied("message_id_too_long", "", long),))


@pytest.mark.parametrize("text", ["", " ", "\n", "\r\n\t ", "\x00", "\ufeff"])
def test_empty_frame_is_ignored(text: str) -> None:
    assert parse(text) == Ignored("empty")


@pytest.mark.parametrize("kind", ["0", "1", "5", "99", "-2", "null", '"two"', '"2"', "true", "2.5", "[2]", "{}"])
def test_unknown_message_type_is_ignored(kind: str) -> None:
    assert type(parse(f'[{kind},"1","Heartbeat",{{}}]')) is Ignored


@pytest.mark.parametrize(
    "text",
    ["{}", "[]", "42", '"text"', "null", "true", "<html></html>", "not json", "[2", "[2]", '{"2":1}', "PING"],
)
def test_what_is_no_frame_is_logged_only(text: str) -> None:
    frame = parse(text)
    assert type(frame) is Malformed
    assert frame.unique_id is None


@pytest.mark.parametrize("unique_id", ["null", "{}", "[]", "true"])
def test_call_without_usable_id_is_logged_only(unique_id: str) -> None:
    frame = parse(f'[2,{unique_id},"Heartbeat",{{}}]')
    assert type(frame) is Malformed
    assert (frame.unique_id, frame.code) == (None, FORMATION)


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        ("", FORMATION),
        (',"Heartbeat"', FORMATION),
        (',"Heartbeat",{},{}', FORMATION),
        (",5,{}", FORMATION),
        (",null,{}", FORMATION),
        (',"Heartbeat",[]', "TypeConstraintViolation"),
        (',"Heartbeat",5', "TypeConstraintViolation"),
        (',"Heartbeat","{}"', "TypeConstraintViolation"),
        (',"Heartbeat",false', "TypeConstraintViolation"),
    ],
)
def test_malformed_call_is_refused_under_its_id(rest: str, code: str) -> None:
    frame = parse(f'[2,"id-1"{rest}]')
    assert type(frame) is Malformed
    assert (frame.unique_id, frame.code) == ("id-1", code)


@pytest.mark.parametrize(
    "text",
    [
        "[3]", "[3,null,{}]", "[3,{},{}]", "[4]", '[4,"1"]', '[4,"1","a","b",{},{}]', "[4,null,null]",
    ],
)  # fmt: skip
def test_answer_nobody_can_read_is_ignored(text: str) -> None:
    assert type(parse(text)) is Ignored


@pytest.mark.parametrize("text", ['[3,"1",{"a":', '[4,"1","Internal', '[3,"1",NaN]'])
def test_answer_that_is_not_json_is_known_by_its_id(text: str) -> None:
    """It ends the CALL that waits for it; nothing is sent back."""
    assert parse(text) == BrokenAnswer("1", "FormationViolation", "not JSON")


def test_result_of_wrong_length_is_read_and_noted() -> None:
    assert parse('[3,"1"]') == CallResult("1", {}, (Applied("answer_of_wrong_length", "", "[]"),))
    assert parse('[3,"1",{"a":1},{}]') == CallResult(
        "1", {"a": 1}, (Applied("answer_of_wrong_length", "", '[{"a":1},{}]'),)
    )


# Recorded frames, identities replaced.
ZJ_BENY = (
    '[2,"9386nmn4","MeterValues",{"connectorId":1,"transactionId":17,"meterValue":[{"timestamp":"2024-02-06T08:09:05Z",'
    '"sampledValue":[,{"value":"139954","unit":"Wh"},{"value":"0","measurand":"Power.Active.Import","unit":"W"}]}]}]'
)
AEFA = (
    '[2,"57","MeterValues",{"connectorId":1,"transactionId":,"meterValue":[{"timestamp":"2026-08-04T13:35:45.377",'
    '"sampledValue":[{"value":"1750","unit":"Wh"}]}]}]'
)
WALLBE = (
    '[2,"8","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available","info":"ok\x00"}]\x00'
)
GRIZZL_E = '[3,"64b4a0fc",{"configurationKey":[]'


@pytest.mark.parametrize(
    ("text", "rules", "field", "value"),
    [
        (ZJ_BENY, ["missing_element"], "connectorId", 1),
        (AEFA, ["missing_value"], "transactionId", None),
        (WALLBE, ["control_character", "nul_character"], "info", "ok\ufffd"),
        ('\ufeff[2,"1","A",{"a":"b"}]', ["byte_order_mark"], "a", "b"),
        ('[2,"1","A",{"a":"x\ny\x1bz"}]', ["control_character"], "a", "x\ny\x1bz"),
        ('[2,"1","A",{"a":"x\\ud800y"}]', ["lone_surrogate"], "a", "x\ufffdy"),
        ('[2,"1","A",{"a":"\\udc00\\ud83d\\ude00"}]', ["lone_surrogate"], "a", "\ufffd😀"),
        ('[2,"1","A",{"a":"\ud800"}]', ["lone_surrogate"], "a", "\ufffd"),
        ('[2,"1","A",{"a":[1,],}]', ["missing_element"], "a", [1]),
        ('[2,"1","A",{"a":[{"v":"1"}]}', ["missing_brackets"], "a", [{"v": "1"}]),
        ('[2,"1","A",{"b":,"a":"x:,y"}]', ["missing_value"], "a", "x:,y"),
        ('[2,"1","A",{"b":[,1],"a":"[,]"}]', ["missing_element"], "a", "[,]"),
        ('[2,"1","A",{"b":,"a":[,1', None, "", None),
    ],
)
def test_broken_json_is_repaired_by_name(text: str, rules: list[str] | None, field: str, value: Any) -> None:
    frame = parse(text)
    if rules is None:
        assert frame == Malformed("1", FORMATION, "not JSON")
    else:
        assert type(frame) is Call
        assert [applied.rule for applied in frame.deviations] == rules
        assert frame.payload[field] == value


def test_cut_answer_is_repaired() -> None:
    assert parse(GRIZZL_E) == CallResult("64b4a0fc", {"configurationKey": []})


@pytest.mark.parametrize(
    "text",
    [
        '[2,"1","StopTransaction",{"transactionId":5,"meterStop":12',
        '[2,"1","StopTransaction",{"transactionId":5,"idTag":"AB"',
        '[2,"1","StopTransaction",{"transactionId":5,',
        '[2,"1","StopTransaction",{"idTag":"x}',
        '[2,"1","StopTransaction",{"a":1}}',
        '[2,"1","A",{"a":NaN}]',
        '[2,"1","A",{"a":-Infinity}]',
        '[2,"1","A",{"a":1e400}]',
        '[2,"1","A",{"a":01}]',
        '[2,"1","A",{\'a\':1}]',
        '[2,"1","A",{"a":1}] trailing',
    ],
)
def test_what_no_repair_reads_is_refused_under_its_id(text: str) -> None:
    assert parse(text) == Malformed("1", FORMATION, "not JSON")


@pytest.mark.parametrize(
    ("text", "unique_id"),
    [
        ('[ 2 , "a-1" ,x', "a-1"),
        ("[2,17,x", 17),
        ('[2,"a\\"b",x', 'a"b'),
        ('[2,"a\\u00e9",x', "aé"),
        ('[2,"\\ud800",x', None),
        ('[2,"' + "a" * 1000 + '",x', None),
        ('[2,"a', None),
        ('x[2,"a",', None),
        ("[2,null,x", None),
    ],
)
def test_id_of_a_broken_call(text: str, unique_id: Any) -> None:
    assert parse(text) == Malformed(unique_id, FORMATION, "not JSON")


def test_escaped_nul_is_replaced_in_texts_and_keys_of_the_payload() -> None:
    call = parse('[2,"1","A",{"idTag":"AB\\u0000","x\\u0000":[{"y":"\\u0000"}]}]')
    assert type(call) is Call
    assert call.payload == {"idTag": "AB\ufffd", "x\ufffd": [{"y": "\ufffd"}]}
    assert [applied.rule for applied in call.deviations] == ["nul_character"]


def test_escaped_nul_is_replaced_in_answers() -> None:
    assert parse('[3,"1",{"value":"a\\u0000"}]') == CallResult("1", {"value": "a\ufffd"})
    assert parse('[4,"1","Internal\\u0000","\\u0000",{}]') == CallError("1", "Internal\ufffd", "\ufffd", {})


def test_integers_beyond_64_bits_become_floats() -> None:
    call = parse('[2,"1","A",{"a":18446744073709551616,"b":18446744073709551615}]')
    assert type(call) is Call
    assert call.payload == {"a": 1.8446744073709552e19, "b": 18446744073709551615}


@pytest.mark.parametrize("levels", [98, 100, 254, 1000, 1025, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_deep_nesting_is_answered_fast(levels: int, opening: str, closing: str) -> None:
    text = f'[2,"1","A",{{"x":{opening * levels}1{closing * levels}}}]'
    began = time.perf_counter()
    frame = parse(text)
    assert time.perf_counter() - began < 1
    assert type(frame) is (Call if levels < 99 else Malformed)
    assert frame.unique_id == "1"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('[2,"1","A",{' + ",".join(f'"k{n}":1' for n in range(100_000)) + "}]", id="keys"),
        pytest.param('[2,"1","A",{"a":' + "1" * 100_000 + "}]", id="digits"),
        pytest.param("[" * 250_000, id="open"),
        pytest.param('"' * 250_000, id="quotes"),
        pytest.param('"\\' * 125_000, id="escaped quotes"),
        pytest.param("\\" * 250_000, id="backslashes"),
        pytest.param(":" * 60_000 + "}", id="colons"),
        pytest.param("[," * 30_000, id="commas"),
        pytest.param("[2," + " " * 250_000, id="spaces"),
        pytest.param('[2,"' + "a" * 250_000, id="open text"),
        pytest.param('[2,"1","A",{"a":"' + "\x01" * 60_000 + '"}]', id="control characters"),
        pytest.param('{"a":,' * 10_000, id="missing values"),
    ],
)
def test_frames_made_to_be_slow_take_less_than_a_second(text: str) -> None:
    began = time.perf_counter()
    parse(text)
    assert time.perf_counter() - began < 1


def test_call() -> None:
    assert frames.call("1", "Reset", {"type": "Soft"}) == '[2,"1","Reset",{"type":"Soft"}]'


def test_call_result_echoes_an_id_with_quotes_and_nul() -> None:
    assert frames.call_result('a"\x00', {}) == '[3,"a\\"\\u0000",{}]'


def test_call_error_cuts_its_description() -> None:
    assert frames.call_error(5, "InternalError", "x" * 300) == f'[4,5,"InternalError","{"x" * 255}",{{}}]'


def test_call_error_with_details() -> None:
    assert frames.call_error("1", "GenericError", "é", {"a": 1}) == '[4,"1","GenericError","é",{"a":1}]'


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)  # fmt: skip
FRAMES = st.lists(JSON, max_size=3).flatmap(
    lambda rest: st.sampled_from([2, 3, 4, 2.0, None, "2"]).map(lambda kind: [kind, *rest])
)


def _mangled(text: str, cut: int, position: int, junk: str) -> str:
    """A frame as it arrives over a bad line: cut, or with something in between."""
    position %= len(text) + 1
    return (text[:position] + junk + text[position:])[: len(text) + 9 - cut]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.one_of(
        st.text(),
        st.text(alphabet='[]{}",:\\u0123 d8\x00'),
        st.binary().map(lambda data: data.decode("utf-8", "surrogateescape")),
        FRAMES.map(lambda frame: orjson.dumps(frame).decode()),
        st.builds(
            _mangled,
            FRAMES.map(lambda frame: orjson.dumps(frame).decode()),
            st.integers(0, 40),
            st.integers(0, 400),
            st.sampled_from(["", "\x00", ",", '"', "\\", "\ud800", "\\u0000", "}", "]", "\n"]),
        ),
    )
)
def test_any_text_is_one_of_six_kinds_and_storable(text: str) -> None:
    frame = parse(text)
    assert type(frame) in (Call, CallResult, CallError, Malformed, BrokenAnswer, Ignored)
    if isinstance(frame, Call | CallResult | CallError):
        stored = orjson.dumps(frame[1:], default=list).decode()
        assert "\\u0000" not in stored.replace("\\\\", "")
        assert frames.call_result(frame.unique_id, {}).startswith("[3,")
    if isinstance(frame, Malformed) and frame.unique_id is not None:
        assert frames.call_error(frame.unique_id, frame.code, frame.description).startswith("[4,")
