"""Configuration read and changed, the password among it (cases 41, 42, 60), and what is asked on first contact."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.conf import settings
from websockets.exceptions import InvalidStatus

from stations.models import Command, ConfigurationKey, Station
from stations.services.commands import CommandRefused, InvalidPayload
from stations.services.configuration import request_configuration
from stations.services.enrolment import set_station_password as set_password
from stations.types import Origin
from tests.support.charger import Charger
from tests.support.commanding import request_frame
from tests.support.factories import make_station
from tests.support.live_server import LiveServer, libpq_url
from tests.support.waiting import until

Plug = Callable[..., Charger]
OLD, NEW = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba98765432100f0f0f0f"


@pytest.fixture(scope="module")
def server_settings() -> dict[str, Any]:
    return {"OCPP_CALL_TIMEOUT_S": 5, "LOG_LEVEL": "debug", "SECRET_KEY": settings.SECRET_KEY}


def request(station: Station, action: str, payload: Any) -> Command:
    return request_frame(
        station_id=station.pk, action=action, payload=payload, requested_by="anna", via="shell", now=datetime.now(UTC)
    )


def answer(charger: Charger, expected: list[Any], payload: Any) -> None:
    """Take the CALL that must come and answer it."""
    frame = charger.receive()
    assert frame[2:] == expected
    charger.send(json.dumps([3, frame[1], payload]))


def keys(station: Station) -> dict[str, tuple[Any, ...]]:
    rows = ConfigurationKey.objects.filter(station=station)
    return {row.key: (row.value, row.readonly, row.is_unknown, row.pending_value) for row in rows}


def test_all_keys_are_read_and_kept(charger: Charger, station: Station) -> None:
    request_configuration(station_id=station.pk, origin=Origin("anna", "shell", datetime.now(UTC)))
    listed = [
        {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
        {"key": "NumberOfConnectors", "readonly": 1, "value": 2},
        {"key": "Odd", "readonly": "true"},
        {"key": "AuthorizationKey", "readonly": False, "value": OLD},
    ]
    answer(charger, ["GetConfiguration", {}], {"configurationKey": listed})
    until(lambda: keys(station).get("NumberOfConnectors"), ("2", True, False, None))
    assert keys(station) == {
        "HeartbeatInterval": ("300", False, False, None),
        "NumberOfConnectors": ("2", True, False, None),
        "Odd": (None, True, False, None),
        "AuthorizationKey": ("••••••••", False, False, None),
    }
    assert OLD not in json.dumps(list(Command.objects.filter(station=station).values("response", "raw_answer")))


@pytest.mark.parametrize(
    "payload",
    [{}, {"configurationKey": []}, {"unknownKey": ["Nope"]}, {"configurationKey": [], "unknownKey": ["Nope"]}],
)
def test_lists_may_be_empty_or_missing(charger: Charger, station: Station, payload: dict[str, Any]) -> None:
    request_configuration(station_id=station.pk, keys=["Nope"], origin=Origin("anna", "shell", datetime.now(UTC)))
    answer(charger, ["GetConfiguration", {"key": ["Nope"]}], payload)
    until(lambda: Command.objects.get(station=station).succeeded, True)
    assert keys(station) == ({"Nope": (None, None, True, None)} if "unknownKey" in payload else {})


def test_more_keys_than_the_station_takes_are_split(charger: Charger, station: Station) -> None:
    ConfigurationKey.objects.create(
        station=station, key="getconfigurationmaxkeys", value=" 2 ", read_at=datetime.now(UTC)
    )
    names = ["A", "B", "C", "D", "E"]
    request_configuration(station_id=station.pk, keys=names, origin=Origin("anna", "shell", datetime.now(UTC)))
    for group in (["A", "B"], ["C", "D"], ["E"]):
        answer(charger, ["GetConfiguration", {"key": group}], {"unknownKey": group})
    until(lambda: len(keys(station)), 6)


def test_flagged_station_is_asked_key_by_key(charger: Charger, station: Station) -> None:
    Station.objects.filter(pk=station.pk).update(reads_configuration_by_key=True)
    sent = request_configuration(station_id=station.pk, origin=Origin("anna", "shell", datetime.now(UTC)))
    assert len(sent) > 20
    for command in sent[:3]:
        answer(charger, ["GetConfiguration", command.payload], {"unknownKey": command.payload["key"]})
        assert len(command.payload["key"]) == 1


@pytest.mark.parametrize("word", ["Accepted", "RebootRequired", "Rejected", "NotSupported"])
def test_change_is_followed_by_a_look(charger: Charger, station: Station, word: str) -> None:
    command = request(station, "ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"})
    answer(charger, ["ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"}], {"status": word})
    until(lambda: Command.objects.get(pk=command.pk).result_status, word)
    accepted = word in ("Accepted", "RebootRequired")
    assert Command.objects.get(pk=command.pk).succeeded is accepted
    if not accepted:
        assert keys(station) == {}
        return
    seen = {"key": "HeartbeatInterval", "readonly": False, "value": "300" if word == "RebootRequired" else "60"}
    answer(charger, ["GetConfiguration", {"key": ["HeartbeatInterval"]}], {"configurationKey": [seen]})
    pending = "60" if word == "RebootRequired" else None
    until(lambda: keys(station).get("HeartbeatInterval"), (seen["value"], False, False, pending))
    charger.boot()
    assert keys(station)["HeartbeatInterval"] == (seen["value"], False, False, None)


@pytest.mark.parametrize("word", ["Accepted", "Rejected", "NotSupported", "RebootRequired", "error", "silence"])
def test_password_changes_with_the_answer_and_is_seen_nowhere(
    server: LiveServer, plug: Plug, orm: None, word: str
) -> None:
    """Case 60; security white paper A01: until Accepted the old password serves, from then on only the new one."""
    station = make_station(call_timeout_s=1)
    set_password(station_id=station.pk, password=OLD)
    charger = plug(station, password=bytes.fromhex(OLD))
    command = request(station, "ChangeConfiguration", {"key": "AuthorizationKey", "value": NEW})
    frame = charger.receive()
    assert frame[2:] == ["ChangeConfiguration", {"key": "AuthorizationKey", "value": NEW}]
    assert NEW not in _dump(server)
    if word == "error":
        charger.send(json.dumps([4, frame[1], "GenericError", "", {}]))
    elif word != "silence":
        charger.send(json.dumps([3, frame[1], {"status": word}]))
    until(lambda: Command.objects.get(pk=command.pk).has_ended, True)
    charger.close()
    works, refused = (NEW, OLD) if word in ("Accepted", "RebootRequired") else (OLD, NEW)
    with pytest.raises(InvalidStatus) as error:
        plug(station, password=bytes.fromhex(refused))
    assert error.value.response.status_code == 401
    assert plug(station, password=bytes.fromhex(works)).call("Heartbeat", {})[0] == 3
    row = Command.objects.get(pk=command.pk)
    assert (row.payload, row.sealed) == ({"key": "AuthorizationKey", "value": "••••••••"}, None)
    assert NEW not in _dump(server)
    assert NEW not in server.text()


def _dump(server: LiveServer) -> str:
    """Everything that the database holds of commands and stations, as text."""
    with psycopg.connect(libpq_url(server.env["DATABASE_URL"]), autocommit=True) as connection:
        tables = ("stations_command", "stations_station", "stations_configurationkey")
        rows = [connection.execute(f"SELECT t::text FROM {table} t").fetchall() for table in tables]  # type: ignore[call-overload]
    return str(rows)


@pytest.mark.parametrize("value", ["short", "x" * 41, 5, None])
def test_password_that_cannot_be_is_refused(station: Station, value: Any) -> None:
    with pytest.raises(InvalidPayload):
        request(station, "ChangeConfiguration", {"key": "authorizationkey", "value": value})
    with pytest.raises(CommandRefused):
        request_frame(
            station_id=station.pk,
            action="ChangeConfiguration",
            payload={"key": "AuthorizationKey", "value": value},
            requested_by="anna",
            via="shell",
            now=datetime.now(UTC),
            allows_invalid=True,
        )


def test_password_sealed_under_another_key_is_not_sent(
    start_module_server: Callable[..., LiveServer], django_db_blocker: Any
) -> None:
    """Two processes with different SECRET_KEYs: an error, and never what stands for the password."""
    server = start_module_server(SECRET_KEY="another")
    with django_db_blocker.unblock(), server.orm():
        station = make_station("SEALED")
        with Charger(server.url, "SEALED") as charger:
            command = request(station, "ChangeConfiguration", {"key": "AuthorizationKey", "value": NEW})
            until(lambda: Command.objects.get(pk=command.pk).status, "call_error")
            assert charger.call("Heartbeat", {})[0] == 3


# --- First contact


@pytest.fixture(scope="module")
def greeting_server(start_module_server: Callable[..., LiveServer]) -> LiveServer:
    return start_module_server(OCPP_READ_CONFIGURATION=1, OCPP_ENROLMENT="open", LOG_LEVEL="debug")


def test_configuration_is_read_on_first_contact_and_after_new_firmware(greeting_server: LiveServer) -> None:
    boot = {"chargePointVendor": "Acme", "chargePointModel": "One", "firmwareVersion": "1"}
    with Charger(greeting_server.url, "NEW-1") as charger:
        charger.result("BootNotification", boot)
        answer(charger, ["GetConfiguration", {}], {"configurationKey": [{"key": "A", "readonly": True, "value": "1"}]})
    with Charger(greeting_server.url, "NEW-1") as charger:
        charger.result("BootNotification", boot)
        with pytest.raises(TimeoutError):
            charger.receive(timeout_s=5)
        charger.result("BootNotification", boot | {"firmwareVersion": "2"})
        answer(charger, ["GetConfiguration", {}], {})
