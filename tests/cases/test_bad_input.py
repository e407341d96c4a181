"""What must not hurt: every row of the table of bad input (§4), as raw frames on a real socket.

Around each test another station must be served at once; at the end the server must live and have logged no error.
"""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from connectors.models import Connector
from id_tags.models import IdTag, UnknownIdTag
from meter.models import MeterValue
from stations.models import Deviation, Station
from tests.support.charger import Charger
from tests.support.factories import make_id_tag, make_station
from tests.support.live_server import LiveServer
from tests.support.payloads import ago, meter_values, sample, start, status, stop
from tests.support.raw import upgraded
from tests.support.raw_client import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Client
from tests.support.waiting import until
from transactions.models import Mark, OrphanMessage, Transaction

Plug = Callable[..., Charger]
LIMIT = 262_144
VIOLATIONS = {
    "FormationViolation",
    "TypeConstraintViolation",
    "PropertyConstraintViolation",
    "OccurenceConstraintViolation",
}


@pytest.fixture(scope="module")
def bystander(server: LiveServer, orm: None) -> Iterator[Charger]:
    """A station that does nothing wrong."""
    with Charger(server.url, make_station("BYSTANDER").identity) as charger:
        yield charger
        assert [event for event in server.events() if event["level"] in ("ERROR", "CRITICAL")] == []


@pytest.fixture(autouse=True)
def _others_are_served(bystander: Charger) -> Iterator[None]:
    yield
    assert_serves(bystander)


def assert_serves(charger: Charger, within_s: float = 1.0) -> None:
    """Nothing else is waiting to be read, and a Heartbeat is answered at once."""
    began = time.monotonic()
    answer = charger.call("Heartbeat", {}, "alive")
    assert answer == [3, "alive", {"currentTime": answer[2]["currentTime"]}]
    assert time.monotonic() - began < within_s


def error_of(answer: Any) -> tuple[Any, str]:
    """Return id and code of a well-formed CALLERROR."""
    kind, unique_id, code, description, details = answer
    assert kind == 4
    assert type(description) is str
    assert len(description) <= 255
    assert details == {}
    return unique_id, code


def deviations_of(station: Station) -> set[tuple[str, str, str]]:
    """Return action, field and rule of what is recorded against a station."""
    return set(Deviation.objects.filter(station=station).values_list("action", "field", "rule"))


def connector_of(station: Station, connector_id: int = 1) -> Connector:
    return Connector.objects.get(station=station, connector_id=connector_id)


# --- WebSocket frames


HEARTBEAT = b'[2,"h","Heartbeat",{}]'


def close_code(client: Client) -> int:
    """Return the code of the Close frame, which must come next."""
    opcode, payload = client.receive()
    assert opcode == CLOSE, (opcode, payload)
    return int.from_bytes(payload[:2])


def assert_station_comes_back(server: LiveServer, station: Station) -> None:
    with upgraded(server, station.identity) as client:
        client.send(TEXT, HEARTBEAT)
        assert client.receive()[1].startswith(b'[3,"h",')


def test_binary_frame_closes_1003(server: LiveServer, raw: Client, station: Station) -> None:
    raw.send(BINARY, HEARTBEAT)
    assert close_code(raw) == 1003
    assert_station_comes_back(server, station)


@pytest.mark.parametrize(
    "text",
    [
        b'[2,"1","Heartbeat",{"a":"\xff"}]',
        '[2,"1","DataTransfer",{"vendorId":"Zähler"}]'.encode("latin-1"),
        b'[2,"1","DataTransfer",{"vendorId":"\xed\xa0\xbd\xed\xb8\x80"}]',  # CESU-8: an emoji as two surrogates
        b'[2,"1","DataTransfer",{"vendorId":"\xc0\x80"}]',  # Java's NUL
        b"\xf5\x80\x80\x80",
        HEARTBEAT + b"\xc3",
    ],
)
def test_text_that_is_not_utf_8_closes_1007(server: LiveServer, raw: Client, station: Station, text: bytes) -> None:
    raw.send(TEXT, text)
    assert close_code(raw) == 1007
    assert_station_comes_back(server, station)


@pytest.mark.parametrize(
    "frames",
    [
        [{"opcode": TEXT, "payload": HEARTBEAT, "mask": None}],
        [{"opcode": TEXT, "payload": HEARTBEAT, "rsv": 4}],
        [{"opcode": 3}],
        [{"opcode": 11}],
        [{"opcode": CONTINUATION, "payload": HEARTBEAT}],
        [{"opcode": TEXT, "payload": b"[2,", "fin": False}, {"opcode": TEXT, "payload": HEARTBEAT}],
        [{"opcode": PING, "payload": b"x" * 126}],
        [{"opcode": PING, "payload": b"x", "fin": False}],
    ],
    ids=["unmasked", "rsv1", "reserved data", "reserved control", "continuation of nothing", "text in a text",
         "long ping", "fragmented ping"],
)  # fmt: skip
def test_broken_framing_closes_1002(
    server: LiveServer, raw: Client, station: Station, frames: list[dict[str, Any]]
) -> None:
    for options in frames:
        raw.send(**options)
    assert close_code(raw) == 1002
    assert_station_comes_back(server, station)


@pytest.mark.parametrize(
    "data",
    [
        b"\x81\xff" + (LIMIT + 1).to_bytes(8),
        b"\x81\xff" + (2**40).to_bytes(8) + b"\x00\x00\x00\x00",
        b"\x81\xff" + (2**63 - 1).to_bytes(8) + b"\x00\x00\x00\x00",
    ],
)
def test_header_of_a_message_over_the_limit_closes_1009(
    server: LiveServer, raw: Client, station: Station, data: bytes
) -> None:
    """At the header: nothing of it is waited for, nothing allocated."""
    raw.write(data + b"x" * 10)
    assert close_code(raw) == 1009
    assert_station_comes_back(server, station)


def test_fragments_over_the_limit_close_1009(server: LiveServer, raw: Client, station: Station) -> None:
    raw.send(TEXT, b" " * (LIMIT // 2), fin=False)
    raw.send(CONTINUATION, b" " * (LIMIT // 2), fin=False)
    raw.send(CONTINUATION, HEARTBEAT)
    assert close_code(raw) == 1009
    assert_station_comes_back(server, station)


def test_message_of_the_largest_size_is_served(charger: Charger) -> None:
    frame = '[2,"1","DataTransfer",{"vendorId":"Acme","data":"%s"}]'
    assert charger.exchange(frame % ("x" * (LIMIT - len(frame) + 2))) == [3, "1", {"status": "UnknownVendorId"}]


def test_fragments_with_a_ping_between_are_answered(raw: Client) -> None:
    raw.send(TEXT, HEARTBEAT[:5], fin=False)
    raw.send(PING, b"p1")
    raw.send(CONTINUATION, b"", fin=False)
    raw.send(CONTINUATION, HEARTBEAT[5:])
    assert raw.receive() == (PONG, b"p1")
    opcode, payload = raw.receive()
    assert opcode == TEXT
    assert payload.startswith(b'[3,"h",{"currentTime":')


@pytest.mark.parametrize(
    "frame", ['[2,"1","Heartbeat",{}]\n', '\r\n [ 2 , "1" , "Heartbeat" , { } ] \r\n', '\t[2,\n"1","Heartbeat",{}]']
)
def test_white_space_around_is_answered(charger: Charger, frame: str) -> None:
    answer = charger.exchange(frame)
    assert answer == [3, "1", {"currentTime": answer[2]["currentTime"]}]


# --- OCPP-J frames


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


# --- Sizes and numbers


@pytest.mark.parametrize("depth", [101, 1000, 10_000, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_deep_nesting_is_refused_at_once(charger: Charger, depth: int, opening: str, closing: str) -> None:
    """Python's recursion limit is nobody's weapon: a CALLERROR, or 1009 over the size limit, within a second."""
    began = time.monotonic()
    payload = f'{{"a":{opening * depth}1{closing * depth}}}'
    frame = f'[2,"1","DataTransfer",{payload}]'
    if len(frame) > LIMIT:
        charger.send(frame)
        with pytest.raises(ConnectionClosed) as closed:
            charger.receive()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
    else:
        assert error_of(charger.exchange(frame)) == ("1", "FormationViolation")
        assert_serves(charger)
    assert time.monotonic() - began < 1


def test_nesting_that_a_vendor_may_need_is_served(charger: Charger) -> None:
    payload = f'{{"vendorId":"Acme","data":{"[" * 50 + "]" * 50}}}'
    assert charger.exchange(f'[2,"1","DataTransfer",{payload}]') == [3, "1", {"status": "UnknownVendorId"}]


def test_many_keys_are_served_or_over_the_limit(charger: Charger, station: Station) -> None:
    """As many keys as fit are extra fields (evcc#14579): ignored, recorded within the cap."""
    began = time.monotonic()
    answer = charger.exchange(f'[2,"1","Heartbeat",{json.dumps({f"k{number}": 0 for number in range(20_000)})}]')
    assert answer[:2] == [3, "1"]
    assert time.monotonic() - began < 3  # a tenth of a second where nothing else runs
    assert_serves(charger)
    until(lambda: Deviation.objects.filter(station=station, rule="extra_field").count() > 0, True)
    assert Deviation.objects.filter(station=station).count() <= 200
    charger.send(f'[2,"1","Heartbeat",{json.dumps({f"k{number}": 0 for number in range(100_000)})}]')
    with pytest.raises(ConnectionClosed) as closed:
        charger.receive()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1" + "0" * 5000, "0x10", "01"])
def test_number_that_json_does_not_have(charger: Charger, station: Station, number: str) -> None:
    frame = f'[2,"1","StartTransaction",{{"connectorId":1,"idTag":"T","timestamp":"{ago()}","meterStart":{number}}}]'
    assert error_of(charger.exchange(frame)) == ("1", "FormationViolation")
    assert_serves(charger)
    assert Transaction.objects.filter(station=station).count() == 0


@pytest.mark.parametrize("connector_id", [-1, 2**31, 2**63 - 1, 2**63])
def test_status_of_an_impossible_connector(charger: Charger, station: Station, connector_id: int) -> None:
    answer = charger.call("StatusNotification", status(connector_id, "Available"), "1")
    assert error_of(answer) == ("1", "PropertyConstraintViolation")
    assert_serves(charger)
    assert Connector.objects.filter(station=station).count() == 0


@pytest.mark.parametrize("connector_id", [0, 99, 2**31 - 1])
def test_status_of_a_connector_nobody_announced(charger: Charger, station: Station, connector_id: int) -> None:
    assert charger.call("StatusNotification", status(connector_id, "Available"), "1") == [3, "1", {}]
    assert connector_of(station, connector_id).status == "Available"


@pytest.mark.parametrize("connector_id", [0, -1, 99, 2**31, 2**63 - 1, 2**63, 2**64])
def test_billing_data_of_an_impossible_connector_is_kept(
    charger: Charger, station: Station, tag: IdTag, connector_id: int
) -> None:
    answer = charger.result("StartTransaction", start(tag.id_tag, connector_id=connector_id))
    assert answer == {"transactionId": answer["transactionId"], "idTagInfo": {"status": "Accepted"}}
    payload = meter_values(sample("1500"), connector_id=connector_id, transaction_id=answer["transactionId"])
    assert charger.call("MeterValues", payload, "m") == [3, "m", {}]
    assert charger.call("StopTransaction", stop(answer["transactionId"]), "s") == [3, "s", {}]
    row = Transaction.objects.get(station=station)
    assert [row.closing, row.energy_wh, row.meter_values.count()] == ["reported", 5000.0, 1]


@pytest.mark.parametrize("meter_start", [2**63, -(2**63) - 1, 2**64, 1e300])
def test_register_beyond_any_column_is_unknown(
    charger: Charger, station: Station, tag: IdTag, meter_start: float
) -> None:
    """Energy is unknown while meterStart is."""
    payload = start(tag.id_tag) | {"meterStart": meter_start}
    answer = charger.result("StartTransaction", payload)
    assert answer == {"transactionId": answer["transactionId"], "idTagInfo": {"status": "Accepted"}}
    assert charger.result("StopTransaction", stop(answer["transactionId"])) == {}
    row = Transaction.objects.get(station=station)
    assert [row.meter_start, row.meter_stop, row.energy_wh, row.closing] == [None, 6000, None, "reported"]


@pytest.mark.parametrize("transaction_id", [2**31, 2**40, 2**63, 2**64, -(2**40), 1.5, "abc", "", [], {}, True, None])
def test_transaction_id_that_can_be_none_of_ours(charger: Charger, station: Station, transaction_id: Any) -> None:
    assert charger.call("StopTransaction", stop(transaction_id), "s") == [3, "s", {}]
    payload = meter_values(sample("1500")) | {"transactionId": transaction_id}
    assert charger.call("MeterValues", payload, "m") == [3, "m", {}]
    assert OrphanMessage.objects.filter(station=station, kind="StopTransaction").count() == 1
    assert MeterValue.objects.get(series__station=station).transaction is None


# --- Texts


@pytest.mark.parametrize(
    "id_tag",
    [r"TAG\u0000", r"\u0000TAG", r"\ud800", r"TAG\udfff", r"\u001b[31m", r"a\nb", "<b>tag</b>", "' OR 1=1 --", r"\\",
     "", " ", "☃", "x" * 300, r"\u202etag"]
)  # fmt: skip
def test_odd_id_tag_is_invalid(charger: Charger, id_tag: str) -> None:
    """Nobody knows such a tag; it is no error, and it opens nothing."""
    if IdTag.objects.filter(id_tag="TAG").count() == 0:
        make_id_tag("TAG")
    assert charger.exchange(f'[2,"1","Authorize",{{"idTag":"{id_tag}"}}]') == [
        3, "1", {"idTagInfo": {"status": "Invalid"}},
    ]  # fmt: skip
    answer = charger.exchange(
        f'[2,"2","StartTransaction",{{"connectorId":1,"idTag":"{id_tag}","meterStart":0,"timestamp":"{ago()}"}}]'
    )
    assert answer == [3, "2", {"transactionId": answer[2]["transactionId"], "idTagInfo": {"status": "Invalid"}}]
    assert Transaction.objects.get(transaction_id=answer[2]["transactionId"]).marks == [Mark.REFUSED_TAG]
    assert_serves(charger)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (r"a\u0000b", "a\ufffdb"),
        (r"a\ud800b", "a\ufffdb"),
        (r"a\udc00", "a\ufffd"),
        (r"\ud83d\ude97", "🚗"),
        (r"a\u001b[31mb", "a\x1b[31mb"),
        (r"a\nb\tc", "a\nb\tc"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("'; DROP TABLE stations_station; --", "'; DROP TABLE stations_station; --"),
        (r"%s {0} \\", "%s {0} \\"),
        ("x" * 255, "x" * 255),
        ("x" * 2000, "x" * 255),
    ],
)
def test_odd_text_is_kept_as_it_is_or_can_be(charger: Charger, station: Station, sent: str, kept: str) -> None:
    payload = (
        f'{{"connectorId":1,"status":"Faulted","errorCode":"OtherError","info":"{sent}","vendorErrorCode":"{sent}"}}'
    )
    assert charger.exchange(f'[2,"1","StatusNotification",{payload}]') == [3, "1", {}]
    connector = connector_of(station)
    assert [connector.info, connector.vendor_error_code] == [kept, kept]
    boot = charger.exchange(f'[2,"2","BootNotification",{{"chargePointVendor":"{sent}","chargePointModel":"M"}}]')
    assert boot[2]["status"] == "Accepted"
    station.refresh_from_db()
    assert station.vendor == kept.strip()
    assert charger.exchange(f'[2,"3","DataTransfer",{{"vendorId":"A","data":"{sent}","{sent}":1}}]') == [
        3, "3", {"status": "UnknownVendorId"},
    ]  # fmt: skip
    assert_serves(charger)


def test_log_has_one_line_per_event_whatever_is_sent(server: LiveServer, charger: Charger) -> None:
    """Newlines and escapes in ids, actions and tags break no line of the log and reach no terminal."""
    charger.exchange(r'[2,"forged\n{\"level\":\"ERROR\"}\u001b[31m","Forged\n{\"level\":\"ERROR\"}\u001b[2J",{}]')
    assert server.text().count("\x1b") == 0
    events = server.events()
    assert [event for event in events if event["level"] == "ERROR"] == []
    assert [event["action"] for event in events if event.get("action", "").startswith("Forged")] == [
        'Forged\n{"level":"ERROR"}\x1b[2J'
    ]


# --- Payloads


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


# --- Timestamps

NOT_A_TIME = [
    "", " ", "0", "now", "2024-02-30T00:00:00Z", "2024-13-01T00:00:00Z", "0000-00-00T00:00:00Z",
    "10000-01-01T00:00:00Z", "2024-05-06T07:08:09+24:00", "1714979289", "1714979289000",
    "Mon, 06 May 2024 07:08:09 GMT", "06/05/2024 07:08:09", "06.05.2024 07:08", "2024-W19-1T07:08:09Z",
    "2024-127T07:08:09Z", "٢٠٢٤-٠٥-٠٦T07:08:09Z", "2024-05-06T07:08:09Z\x00", "2024-05-06T25:00:00Z",
    "2024-05-06T07:61:00Z", "-2024-05-06T07:08:09Z", "2024-05-06T07:08:09.Z\n\n;", 1714979289, 1714979289.5, None,
    True, [], {}, "x" * 1000,
]  # fmt: skip


def at(*parts: int, micros: int = 0) -> datetime:
    return datetime(*parts, microsecond=micros, tzinfo=UTC)  # type: ignore[arg-type,misc]


MEANT = at(2024, 5, 6, 7, 8, 9)
TIMES = {
    # RFC 3339
    "2024-05-06T07:08:09Z": MEANT,
    "2024-05-06T07:08:09z": MEANT,
    "2024-05-06t07:08:09z": MEANT,
    "2024-05-06T07:08:09.1Z": MEANT.replace(microsecond=100_000),
    "2024-05-06T07:08:09.12Z": MEANT.replace(microsecond=120_000),
    "2024-05-06T07:08:09.123Z": MEANT.replace(microsecond=123_000),
    "2024-05-06T07:08:09.1234Z": MEANT.replace(microsecond=123_400),
    "2024-05-06T07:08:09.123456Z": MEANT.replace(microsecond=123_456),
    "2024-05-06T07:08:09.1234567Z": MEANT.replace(microsecond=123_456),
    "2024-05-06T07:08:09.123456789Z": MEANT.replace(microsecond=123_456),
    "2024-05-06T07:08:09.123456789+00:00": MEANT.replace(microsecond=123_456),
    "2024-05-06T21:08:09+14:00": MEANT,
    "2024-05-05T19:08:09-12:00": MEANT,
    "2024-05-06T12:38:09+05:30": MEANT,
    "2024-05-06T07:08:09-00:00": MEANT,
    "1970-01-01T00:00:00Z": at(1970, 1, 1),
    "2000-01-01T00:00:00Z": at(2000, 1, 1),
    "2038-01-19T03:14:08Z": at(2038, 1, 19, 3, 14, 8),
    "2106-02-07T06:28:16Z": at(2106, 2, 7, 6, 28, 16),
    "9999-12-31T23:59:59Z": at(9999, 12, 31, 23, 59, 59),
    "0001-01-01T00:00:00Z": at(1, 1, 1),
    # in the station's zone, here UTC
    "2024-05-06T07:08:09": MEANT,  # Growatt
    "2024-05-06T07:08:09.377": MEANT.replace(microsecond=377_000),  # AEFA
    "2024-05-06 07:08:09": MEANT,
    "2024-05-06T07:08": MEANT.replace(second=0),
    "2024-05-06": at(2024, 5, 6),
    "20240506T070809": MEANT,
    # other spellings
    "2024-05-06T09:08:09+02": MEANT,  # Monta
    "2024-05-06T09:08:09+0200": MEANT,
    "2024-05-06 07:08:09Z": MEANT,
    "2024-05-06T07:08Z": MEANT.replace(second=0),
    "20240506T070809Z": MEANT,
    "2024-05-06T07:08:09,123Z": MEANT.replace(microsecond=123_000),
    "2024-05-06T24:00:00Z": at(2024, 5, 7),
    "2016-12-31T23:59:60Z": at(2017, 1, 1),
    " 2024-05-06T07:08:09Z ": MEANT,
    # the edges of the calendar
    "9999-12-31T23:59:59-01:00": datetime.max.replace(tzinfo=UTC),
    "0001-01-01T00:00:00+02:00": datetime.min.replace(tzinfo=UTC),
}


def test_timestamps_are_read(charger: Charger, station: Station) -> None:
    """What ISO 8601 allows and what chargers make of it; the reported time is kept, whatever is made of it."""
    for number, timestamp in enumerate(TIMES, 1):
        assert charger.result("StatusNotification", status(number, "Available", timestamp=timestamp)) == {}
    rows = Connector.objects.filter(station=station).order_by("connector_id")
    assert dict(zip(TIMES, rows.values_list("status_reported_at", flat=True), strict=True)) == TIMES
    assert_serves(charger)


def test_what_is_no_timestamp_is_replaced_by_the_time_of_receipt(charger: Charger, station: Station) -> None:
    before = datetime.now(UTC)
    for number, timestamp in enumerate(NOT_A_TIME, 1):
        assert charger.result("StatusNotification", status(number, "Available", timestamp=timestamp)) == {}, timestamp
    rows = Connector.objects.filter(station=station).order_by("connector_id")
    assert list(rows.values_list("status_reported_at", flat=True)) == [None] * len(NOT_A_TIME)
    assert all(before <= row.status_at <= datetime.now(UTC) for row in rows if row.status_at)
    assert_serves(charger)


def test_naive_timestamps_are_in_the_stations_zone(plug: Plug, orm: None) -> None:
    station = make_station(time_zone="Europe/Berlin")
    charger = plug(station)
    for number, timestamp in enumerate(["2024-07-01T12:00:00", "2024-01-01 12:00", "2024-07-01T12:00:00Z"], 1):
        assert charger.result("StatusNotification", status(number, "Available", timestamp=timestamp)) == {}
    rows = Connector.objects.filter(station=station).order_by("connector_id")
    assert list(rows.values_list("status_reported_at", flat=True)) == [
        at(2024, 7, 1, 10), at(2024, 1, 1, 11), at(2024, 7, 1, 12),
    ]  # fmt: skip


@pytest.mark.parametrize("timestamp", ["now", "0000-00-00T00:00:00Z", 1714979289, None, "1970-01-01T00:00:05Z"])
def test_transaction_without_a_usable_time_counts_from_receipt(charger: Charger, tag: IdTag, timestamp: Any) -> None:
    before = datetime.now(UTC)
    answer = charger.result("StartTransaction", start(tag.id_tag) | {"timestamp": timestamp})
    assert answer["idTagInfo"] == {"status": "Accepted"}
    assert charger.result("StopTransaction", stop(answer["transactionId"]) | {"timestamp": timestamp}) == {}
    row = Transaction.objects.get(transaction_id=answer["transactionId"])
    assert row.stopped_at is not None
    assert before <= row.started_at <= row.stopped_at <= datetime.now(UTC)
    assert [row.energy_wh, row.marks] == [5000.0, [Mark.CLOCK_UNSET]]


def test_transaction_in_the_future_counts_from_receipt(charger: Charger, tag: IdTag) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    answer = charger.result("StartTransaction", start(tag.id_tag, at=tomorrow))
    row = Transaction.objects.get(transaction_id=answer["transactionId"])
    assert row.marks == [Mark.FUTURE_TIME]
    assert row.started_at == row.start_received_at
    assert row.start_reported_at == tomorrow.replace(microsecond=0)


def test_unknown_tags_of_bad_input_are_in_the_inbox_once(charger: Charger) -> None:
    """Odd tags are listed for staff like others, whatever is in them."""
    for number in range(3):
        charger.exchange(f'[2,"{number}","Authorize",{{"idTag":"<i>odd\\n</i>"}}]')
    assert list(UnknownIdTag.objects.filter(id_tag="<i>odd\n</i>").values_list("count", flat=True)) == [3]
