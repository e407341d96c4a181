"""Whether a station is there: pings, idle limits, when it was last seen, how far its clock is off, who owns it."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from django.conf import settings

from stations.models import Station
from stations.selectors import online_ids, presence_key
from stations.services.enrolment import station_saved
from tests.support.charger import Charger
from tests.support.factories import make_id_tag, make_station
from tests.support.live_server import LiveServer
from tests.support.payloads import ago, start, status, text
from tests.support.raw import upgraded
from tests.support.raw_client import PING, PONG, TEXT, Client
from tests.support.waiting import until
from transactions.models import Mark, Transaction

Plug = Callable[..., Charger]
HEARTBEAT = b'[2,"h","Heartbeat",{}]'


@pytest.fixture(scope="module")
def server_settings() -> dict[str, Any]:
    return {"OCPP_PING_INTERVAL_S": 1, "OCPP_IDLE_LIMIT_S": 2}


def frames_within(client: Client, seconds: float) -> list[int]:
    """Return the opcodes of what comes in that time; -1 for the end of the connection."""
    opcodes: list[int] = []
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        client.socket.settimeout(left)
        try:
            opcodes.append(client.receive()[0])
        except TimeoutError:
            break
        except (EOFError, ConnectionError):
            opcodes.append(-1)
            break
    client.socket.settimeout(10)
    return opcodes


# --- Pings and the idle limit


def test_station_is_pinged_as_often_as_its_setting_says(server: LiveServer, orm: None) -> None:
    station = make_station(ping_interval_s=1, idle_limit_s=0)
    with upgraded(server, station.identity) as client:
        assert frames_within(client, 2.3) == [PING, PING]


def test_frames_take_the_place_of_pings(server: LiveServer, orm: None) -> None:
    """A station that talks is not pinged."""
    station = make_station(ping_interval_s=1, idle_limit_s=0)
    with upgraded(server, station.identity) as client:
        opcodes = []
        for _ in range(8):
            client.send(TEXT, HEARTBEAT)
            opcodes += frames_within(client, 0.25)
        assert opcodes == [TEXT] * 8


def test_silent_station_is_dropped(server: LiveServer, station: Station) -> None:
    """No frame and no pong for the idle limit, here the system's: the half-open socket is cleared."""
    began = time.monotonic()
    with upgraded(server, station.identity) as client:
        assert frames_within(client, 5) == [PING, -1]
    assert 1.9 <= time.monotonic() - began <= 3.5
    until(lambda: Station.objects.get(pk=station.pk).is_online, False)


def test_any_frame_is_a_sign_of_life(server: LiveServer, orm: None) -> None:
    """Pongs, the station's own pings, and messages alike (OCPP 1.6 §4.6); also what is no frame of OCPP."""
    with ExitStack() as stack:
        clients = {
            opcode: stack.enter_context(upgraded(server, make_station(ping_interval_s=0, idle_limit_s=1).identity))
            for opcode in (PONG, PING, TEXT)
        }
        for _ in range(4):
            for opcode, client in clients.items():
                client.send(opcode, b"garbage")
            time.sleep(0.5)
        came = {opcode: frames_within(client, 2) for opcode, client in clients.items()}
    assert came == {PONG: [-1], PING: [PONG] * 4 + [-1], TEXT: [-1]}


def test_pings_and_limit_can_be_switched_off(server: LiveServer, orm: None) -> None:
    """EN+ answers no ping (lbbrhzn#211): 0 and 0 leave its socket alone, whatever the system's defaults are."""
    station = make_station(ping_interval_s=0, idle_limit_s=0)
    with upgraded(server, station.identity) as client:
        assert frames_within(client, 2.5) == []
        client.send(TEXT, HEARTBEAT)
        assert client.receive()[1].startswith(b'[3,"h",')


def test_settings_changed_by_staff_reach_an_open_connection(server: LiveServer, orm: None) -> None:
    station = make_station(ping_interval_s=0, idle_limit_s=0)
    with upgraded(server, station.identity) as client:
        Station.objects.filter(pk=station.pk).update(ping_interval_s=1, idle_limit_s=2)
        station_saved(station_id=station.pk)
        assert frames_within(client, 4) == [PING, -1]


# --- Last seen and offline


def test_last_seen_is_the_latest_frame(server: LiveServer, plug: Plug, orm: None) -> None:
    """Of any kind, pongs too; written within seconds."""
    talks, pongs = make_station(), make_station(ping_interval_s=0, idle_limit_s=0)
    charger = plug(talks)
    with upgraded(server, pongs.identity) as client:
        time.sleep(0.5)
        before = datetime.now(UTC) - timedelta(milliseconds=50)
        charger.result("Heartbeat", {})
        client.send(PONG, b"")
        seen = Station.objects.filter(pk__in=[talks.pk, pongs.pk], last_seen_at__gte=before)
        until(seen.count, 2)
        assert all(row.last_seen_at <= datetime.now(UTC) for row in seen if row.last_seen_at)


@pytest.mark.parametrize("how", ["close", "abort"])
def test_station_that_leaves_is_offline_at_once(server: LiveServer, plug: Plug, orm: None, how: str) -> None:
    station = make_station()
    before = datetime.now(UTC)
    if how == "close":
        plug(station).close()
    else:
        upgraded(server, station.identity).socket.close()
    until(lambda: Station.objects.get(pk=station.pk).is_online, False, 2)
    station.refresh_from_db()
    assert station.disconnected_at is not None
    assert before <= station.disconnected_at <= datetime.now(UTC)
    assert online_ids(stations=[station]) == set()


# --- The clock


def test_clock_drift_is_measured(plug: Plug, orm: None) -> None:
    """From both times of a live message; a start that waited in the queue for hours says nothing about the clock."""
    tag = make_id_tag()
    expected = {}
    for ahead_s in (0, 90, -3600):
        station = make_station()
        charger = plug(station)
        charger.result("StartTransaction", start(tag.id_tag, at=ago(hours=2)))
        at = datetime.now(UTC) + timedelta(seconds=ahead_s)
        assert charger.result("StatusNotification", status(1, "Charging", timestamp=at.isoformat())) == {}
        expected[station.pk] = ahead_s
    measured = Station.objects.filter(pk__in=expected, clock_drift_s__isnull=False)
    until(measured.count, 3)
    rows = measured.values_list("pk", "clock_drift_s")
    assert {pk: round(drift) for pk, drift in rows if drift is not None} == expected


def test_times_of_a_clock_that_is_days_off_do_not_count(charger: Charger, station: Station) -> None:
    """Its transaction counts from receipt, with both times kept."""
    charger.result("StatusNotification", status(1, "Preparing", timestamp=text(ago(days=400))))
    tag = make_id_tag()
    reported_at = ago(days=400)
    answer = charger.result("StartTransaction", start(tag.id_tag, at=reported_at))
    row = Transaction.objects.get(transaction_id=answer["transactionId"])
    assert row.start_reported_at == reported_at
    assert row.started_at == row.start_received_at
    assert row.marks == [Mark.CLOCK_UNSET]


# --- Who owns the station


def lease(station: Station) -> bytes | None:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        value: Any = client.get(presence_key(station.pk))
        return value


def test_presence_after_a_takeover(plug: Plug, station: Station) -> None:
    """The late end of the old connection takes nothing from the new one: neither its row nor its lease."""
    old = plug(station)
    until(lambda: lease(station), b"2")
    new = plug(station)
    until(lambda: lease(station), b"3")
    old.close()
    time.sleep(0.5)
    station.refresh_from_db()
    assert [station.is_online, station.connection_epoch, lease(station)] == [True, 3, b"3"]
    assert online_ids(stations=[station]) == {station.pk}
    new.close()
    until(lambda: lease(station), None)
    station.refresh_from_db()
    assert online_ids(stations=[station]) == set()


def test_old_connection_that_hangs_cannot_write_after_a_takeover(
    server: LiveServer, plug: Plug, station: Station
) -> None:
    """It does not read and does not close; what it still sends is neither stored nor answered."""
    tag = make_id_tag()
    with upgraded(server, station.identity) as old:
        new = plug(station)
        new.boot()
        old.send(TEXT, b'[2,"1","StatusNotification",{"connectorId":9,"status":"Faulted","errorCode":"NoError"}]')
        assert TEXT not in frames_within(old, 1)
    assert station.connectors.count() == 0
    answer = new.result("StartTransaction", start(tag.id_tag))
    assert answer["idTagInfo"] == {"status": "Accepted"}
