"""One locked row, one frozen process and one bad message cost their own station alone."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.support.fault_points import FaultPoint, When, hold_at
from tests.support.live_server import LiveServer, libpq_url
from tests.support.retrying_charger import Link, Session, make_session, meter_payload, start_payload, stop_payload
from tests.support.stored_sessions import add_id_tag, wait_until

STATIONS = 20
LOCKED = "CP-7"

Message = Callable[[Session], tuple[str, dict[str, Any]]]


def sample(session: Session) -> tuple[str, dict[str, Any]]:
    return "MeterValues", meter_payload(session, 0)


def status(session: Session) -> tuple[str, dict[str, Any]]:
    return "StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "SuspendedEV"}


def start(session: Session) -> tuple[str, dict[str, Any]]:
    return "StartTransaction", start_payload(make_session(session.identity, 2))


def stop(session: Session) -> tuple[str, dict[str, Any]]:
    return "StopTransaction", stop_payload(session)


TRANSACTION = """
    SELECT 1 FROM transactions_transaction t JOIN stations_station s ON s.id = t.station_id
    WHERE s.identity = %s FOR UPDATE OF t
"""
CONNECTOR = """
    SELECT 1 FROM connectors_connector c JOIN stations_station s ON s.id = c.station_id
    WHERE s.identity = %s FOR UPDATE OF c
"""


@pytest.fixture
def server(start_server: Callable[..., LiveServer]) -> LiveServer:
    server = start_server(OCPP_ENROLMENT="open", DB_HOLD_S="30")
    add_id_tag(server, "TAG")
    return server


async def _charging(url: str) -> list[tuple[Link, Session]]:
    """Connect STATIONS chargers, each with a running transaction."""
    fleet = []
    for number in range(STATIONS):
        session = make_session(f"CP-{number}", 1)
        link = await Link.open(url, session.identity)
        await link.call("boot", "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"})
        for connector_id in (1, 2):
            known = {"connectorId": connector_id, "errorCode": "NoError", "status": "Preparing"}
            await link.call(f"status{connector_id}", "StatusNotification", known)
        answer = await link.call("start", "StartTransaction", start_payload(session))
        session.transaction_id = answer["transactionId"]
        fleet.append((link, session))
    return fleet


@pytest.mark.parametrize(
    ("rows", "message"),
    [(TRANSACTION, sample), (CONNECTOR, status), (CONNECTOR, start), (TRANSACTION, stop)],
    ids=["transaction-sample", "connector-status", "connector-start", "transaction-stop"],
)
async def test_locked_row_costs_its_own_station_alone(server: LiveServer, rows: str, message: Message):
    fleet = await _charging(server.url)
    took: dict[str, float] = {}

    async def ask(link: Link, session: Session) -> None:
        action, payload = message(session)
        began = time.monotonic()
        await link.call("asked", action, payload, timeout_s=30)
        took[session.identity] = time.monotonic() - began

    with psycopg.connect(libpq_url(server.env["DATABASE_URL"])) as prompt:
        assert prompt.execute(rows, [LOCKED]).fetchall()  # type: ignore[call-overload]
        asked = [asyncio.create_task(ask(link, session)) for link, session in fleet]
        await asyncio.sleep(4)
        assert took.keys() == {session.identity for _, session in fleet} - {LOCKED}
        assert max(took.values()) < 3, took
        # A lane that has left a message behind takes the next ones of the others at once.
        for link, _ in fleet:
            if link is not fleet[7][0]:
                await link.call("next", "Heartbeat", {}, timeout_s=3)
        prompt.rollback()
    await asyncio.gather(*asked)
    for link, _ in fleet:
        await link.close()


async def test_stations_of_a_frozen_server_are_served_by_the_other(start_server: Callable[..., LiveServer]):
    """The frozen process holds the row of a transaction: PostgreSQL aborts what has been idle for too long."""
    frozen, other = (start_server(OCPP_ENROLMENT="open", OCPP_PING_INTERVAL_S="1") for _ in range(2))
    add_id_tag(frozen, "TAG")
    session = make_session("CP", 1)
    link = await Link.open(frozen.url, "CP")
    answer = await link.call("start", "StartTransaction", start_payload(session))
    session.transaction_id = answer["transactionId"]
    action, payload = stop(session)
    with hold_at(
        libpq_url(frozen.env["DATABASE_URL"]), FaultPoint("stop", When.BEFORE, "UPDATE", "connectors_connector")
    ) as hold:
        await link.send(json.dumps([2, "stop", action, payload]))
        await asyncio.to_thread(hold.wait_until_reached)
        os.kill(frozen.pid, signal.SIGSTOP)
        hold.release()
    try:
        began = time.monotonic()
        again = await Link.open(other.url, "CP")
        await again.call("stop", action, payload, timeout_s=10)
        assert time.monotonic() - began < 10
    finally:
        os.kill(frozen.pid, signal.SIGCONT)
    assert other.query("SELECT count(*) FROM transactions_transaction WHERE stopped_at IS NOT NULL") == [(1,)]
    wait_until(lambda: frozen.status("/readyz") == 200)
    await again.close()
    await link.close()


async def test_message_with_texts_of_any_length_is_stored_and_costs_nobody_else_anything(server: LiveServer):
    """No text of a message can be too long for an index (SQLSTATE 54000)."""
    fleet = await _charging(server.url)
    long = "\U0001f50c" * 3000
    odd = start_payload(make_session("CP-0", 2)) | {"timestamp": long, "meterStart": 7, "idTag": long}
    stops = stop_payload(fleet[0][1]) | {"transactionId": long, "timestamp": long, "reason": long}
    answers = [
        fleet[0][0].call("odd", "StartTransaction", odd),
        *(link.call("m", "MeterValues", meter_payload(session, 0)) for link, session in fleet[1:]),
    ]
    assert (await asyncio.gather(*answers))[0]["transactionId"] > 0
    again = await fleet[0][0].call("odd-again", "StartTransaction", odd)
    other = await fleet[0][0].call("odd-other", "StartTransaction", odd | {"timestamp": long + "2"})
    assert again["transactionId"] != other["transactionId"]
    await fleet[0][0].call("stop", "StopTransaction", stops)
    assert "InternalError" not in server.text()
    for link, _ in fleet:
        await link.close()
