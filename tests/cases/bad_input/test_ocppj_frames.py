"""Frames that are no OCPP-J, or broken JSON: ignored, or answered with the right error."""

import json
from collections.abc import Callable

import pytest

from id_tags.models import IdTag
from meter.models import MeterValue
from stations.models import Station
from tests.support.bad_input import assert_serves, connector_of, deviations_of, error_of
from tests.support.charger import Charger
from tests.support.payloads import ago, start
from tests.support.waiting import until
from transactions.models import Transaction

Plug = Callable[..., Charger]


@pytest.mark.parametrize(
    "frame",
    ["not JSON", "{}", "[]", "42", "", " ", "\n", "\x00", "\ufeff", "null", "true", '"text"', "[null]", "[[]]", "[{}]",
     "[", "]", "{", "undefined", "<html><body>502 Bad Gateway</body></html>", "GET / HTTP/1.1\r\n\r\n", "[2", '[2,"',
     "2", "[2]", "[2,"]
)  # fmt: skip
def test_what_is_no_frame_is_ignored(charger: Charger, frame: str) -> None:
    charger.send(frame)
    assert_serves(charger)


@pytest.mark.parametrize(
    "frame",
    ['[0,"1","Heartbeat",{}]', '[1,"1","Heartbeat",{}]', '[5,"1","Heartbeat",{}]', '[99,"1","Heartbeat",{}]',
     '[-2,"1","Heartbeat",{}]', '[2.5,"1","Heartbeat",{}]', '[null,"1","Heartbeat",{}]', '["two","1","Heartbeat",{}]',
     '["2","1","Heartbeat",{}]', '[true,"1","Heartbeat",{}]', '[[2],"1","Heartbeat",{}]', '[{},"1","Heartbeat",{}]']
)  # fmt: skip
def test_unknown_message_type_is_ignored(charger: Charger, frame: str) -> None:
    """Decision 4, OCPP-J 1.6 §4.1.3."""
    charger.send(frame)
    assert_serves(charger)


@pytest.mark.parametrize(
    "frame",
    ['[3,"unknown",{}]', '[3,"unknown",null]', '[4,"unknown","InternalError","",{}]', '[3,"unknown"]', "[3]", "[4]",
     '[4,"unknown"]', '[4,"unknown","InternalError"]', '[4,"unknown","InternalError",""]', '[3,"unknown",{},1]',
     '[4,"unknown","InternalError","",{},1]', "[3,null,{}]", "[3,5,{}]", '[4,{},1,2,3]', '[3,"unknown",[]]', '[3,"un',
     '[4,"unknown","Inter']
)  # fmt: skip
def test_answer_nobody_waits_for_is_ignored(charger: Charger, frame: str) -> None:
    charger.send(frame)
    assert_serves(charger)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ('[2,"1"]', "FormationViolation"),
        ('[2,"1","Heartbeat"]', "FormationViolation"),
        ('[2,"1","Heartbeat",{},{}]', "FormationViolation"),
        ('[2,"1",5,{}]', "FormationViolation"),
        ('[2,"1",null,{}]', "FormationViolation"),
        ('[2,"1",{},"Heartbeat"]', "FormationViolation"),
        ('[2,"1","Heartbeat",[]]', "TypeConstraintViolation"),
        ('[2,"1","Heartbeat",5]', "TypeConstraintViolation"),
        ('[2,"1","Heartbeat","{}"]', "TypeConstraintViolation"),
        ('[2,"1","Heartbeat",true]', "TypeConstraintViolation"),
    ],
)
def test_frame_of_wrong_shape(charger: Charger, frame: str, code: str) -> None:
    assert error_of(charger.exchange(frame)) == ("1", code)
    assert_serves(charger)


@pytest.mark.parametrize("unique_id", ["null", "{}", "[]", "true", '["1"]', '{"id":"1"}', "1e400"])
def test_unreadable_id_is_ignored(charger: Charger, unique_id: str) -> None:
    """There is nothing to answer under (decision 4)."""
    charger.send(f'[2,{unique_id},"Heartbeat",{{}}]')
    assert_serves(charger)


@pytest.mark.parametrize(
    "unique_id",
    ["42", "0", "-7", "1.5", "9007199254740993", "9223372036854775807", '""', '"%s"' % ("x" * 36), '"%s"' % ("x" * 37),
     '"%s"' % ("x" * 5000), r'"a\u0000b"', r'"say \"hi\" \\ \/"', '"Zähler-🚗"', r'"\u001b[31m\n"', '"<script>"']
)  # fmt: skip
def test_id_is_echoed_in_the_type_received(charger: Charger, unique_id: str) -> None:
    answer = charger.exchange(f'[2,{unique_id},"Heartbeat",{{}}]')
    assert answer == [3, json.loads(unique_id), {"currentTime": answer[2]["currentTime"]}]
    assert error_of(charger.exchange(f'[2,{unique_id},"Nonsense",{{}}]')) == (json.loads(unique_id), "NotImplemented")


@pytest.mark.parametrize(
    "action",
    ["FooBar", "heartbeat", "HEARTBEAT", " Heartbeat", "Heartbeat ", "", "HeartbeatResponse", "TransactionEvent",
     "NotifyReport", "x" * 10_000, "'; DROP TABLE stations_station; --", r"a\u0000\n\u001b[31m", "__class__"]
)  # fmt: skip
def test_unknown_action_is_not_implemented(charger: Charger, action: str) -> None:
    assert error_of(charger.exchange(f'[2,"1","{action}",{{}}]')) == ("1", "NotImplemented")
    assert_serves(charger)


@pytest.mark.parametrize(
    "action",
    ["RemoteStartTransaction", "RemoteStopTransaction", "Reset", "GetConfiguration", "ChangeConfiguration",
     "TriggerMessage", "SendLocalList", "CertificateSigned", "GetLog", "ExtendedTriggerMessage"]
)  # fmt: skip
def test_action_of_the_central_system_is_not_supported(charger: Charger, action: str) -> None:
    assert error_of(charger.exchange(f'[2,"1","{action}",{{}}]')) == ("1", "NotSupported")
    assert_serves(charger)


def test_null_payload_is_an_empty_one(charger: Charger) -> None:
    """Decision 7, OCPP-J 1.6 §4.2.1."""
    answer = charger.exchange('[2,"1","Heartbeat",null]')
    assert answer == [3, "1", {"currentTime": answer[2]["currentTime"]}]


def test_crossing_answers_are_no_answers_to_what_follows(charger: Charger) -> None:
    """Garbage between good frames, all sent at once: every good one is answered, in order, and nothing else is."""
    for number in range(50):
        charger.send(f'[3,"x{number}",{{}}]')
        charger.send(f'[2,"h{number}","Heartbeat",{{}}]')
        charger.send("garbage")
    assert [charger.receive()[:2] for _ in range(50)] == [[3, f"h{number}"] for number in range(50)]
    assert_serves(charger)


# --- Broken JSON


def test_broken_json_of_known_chargers_is_repaired(charger: Charger, station: Station, tag: IdTag) -> None:
    """ZJ Beny, AEFA, Wallbe, Grizzl-E: read, stored, answered, and recorded against the station."""
    at = f"{ago(minutes=1):%Y-%m-%dT%H:%M:%SZ}"
    answer = charger.result("StartTransaction", start(tag.id_tag))
    transaction_id = answer["transactionId"]
    for frame in (
        f'[2,"beny","MeterValues",{{"connectorId":1,"transactionId":{transaction_id},'
        f'"meterValue":[{{"timestamp":"{at}","sampledValue":[,{{"value":"1100"}}]}}]}}]',
        '[2,"aefa","MeterValues",{"connectorId":1,"transactionId":,'
        f'"meterValue":[{{"timestamp":"{at}","sampledValue":[{{"value":"1200"}}]}}]}}]',
        '[2,"grizzl","StatusNotification",{"connectorId":1,"status":"Charging","errorCode":"NoError"}',
        '[2,"wallbe","StatusNotification",{"connectorId":2,"status":"Available","errorCode":"NoError","info":"a\x00b"}]',
    ):
        assert charger.exchange(frame) == [3, frame.split('"')[1], {}]
    values = MeterValue.objects.filter(series__station=station).order_by("value")
    assert list(values.values_list("value", "transaction__transaction_id")) == [(1100, transaction_id), (1200, None)]
    assert [connector_of(station).status, connector_of(station, 2).status] == ["Charging", "Available"]
    assert connector_of(station, 2).info == "a\ufffdb"
    wallbe = charger.exchange('[2,"nul","Heartbeat",{}]\x00')
    assert wallbe[:2] == [3, "nul"]
    until(
        lambda: deviations_of(station),
        {
            ("MeterValues", "", "missing_element"),
            ("MeterValues", "", "missing_value"),
            ("MeterValues", "transactionId", "null_field"),
            ("StatusNotification", "", "missing_brackets"),
            ("StatusNotification", "", "control_character"),
            ("StatusNotification", "", "nul_character"),
            ("Heartbeat", "", "control_character"),
        },
    )


@pytest.mark.parametrize(
    "frame",
    ['[2,"1","StatusNotification",{"connectorId":1,"status":"Avail', '[2,"1","MeterValues",{"connectorId":1,"meterV',
     '[2,"1","StartTransaction",{"connectorId":1,"idTag":"TAG","meterStart":12', '[2,"1","Heartbeat",{]',
     '[2,"1","Heartbeat",{}}]', '[2,"1","Heartbeat",{"a":\'b\'}]', '[2,"1","Heartbeat",{a:1}]', '[2,"1",']
)  # fmt: skip
def test_broken_json_with_a_readable_id_is_a_formation_violation(
    charger: Charger, station: Station, frame: str
) -> None:
    """Half a value is not guessed at; the charger learns which message it was."""
    assert error_of(charger.exchange(frame)) == ("1", "FormationViolation")
    assert_serves(charger)
    assert Transaction.objects.filter(station=station).count() == 0
