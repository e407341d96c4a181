"""`manage.py simulate` against a real server: what ends up in the database, and how it ends when all is not well."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from pytest_django import DjangoDbBlocker

from connectors.models import Connector
from evcharging.ocpp16_schemas import CSMS_INITIATED
from stations.models import Command, CommandVia, RegistrationStatus, Station
from stations.passwords import verify_password
from tests.cases.test_operations import PAYLOADS
from tests.support.commanding import request_frame
from tests.support.factories import make_id_tag, make_station
from tests.support.live_server import REPOSITORY, LiveServer, free_port
from tests.support.waiting import until

pytestmark = pytest.mark.live

QUICK = ("--speed", "1800")
PASSWORD = "0123456789abcdef0123456789abcdef01234567"

Simulate = Callable[..., subprocess.CompletedProcess[str]]


def environment(server: LiveServer) -> dict[str, str]:
    return {**os.environ, **server.env}


@pytest.fixture
def simulate(server: LiveServer) -> Simulate:
    """Run the command with the server's environment, and so against it."""

    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", "simulate", *QUICK, *arguments],
            cwd=REPOSITORY,
            env=environment(server) | env,
            capture_output=True,
            text=True,
            timeout=100,
        )

    return run


def transactions(server: LiveServer) -> list[tuple[object, ...]]:
    return server.query(
        "SELECT s.identity, c.connector_id, t.id_tag, t.accepted, t.closing, t.marks FROM transactions_transaction t"
        " JOIN stations_station s ON s.id = t.station_id JOIN connectors_connector c ON c.id = t.connector_id"
        " ORDER BY s.identity, t.started_at"
    )


def test_sessions_end_up_in_the_database(simulate: Simulate, server: LiveServer) -> None:
    result = simulate("--stations", "3", "--sessions", "2")
    assert (result.returncode, result.stderr) == (0, "")
    summary = result.stdout.splitlines()[-1]
    assert re.fullmatch(
        r"3 stations, 6 sessions, \S+ kWh, \d+ messages answered, 0 commands, 0 reconnections, no errors in \S+ s",
        summary,
    )
    assert transactions(server) == [
        (f"SIM-000{number}", connector_id, f"SIM-TAG-000{number}", True, "reported", [])
        for number, connector_ids in ((1, (1, 2)), (2, (1, 2)), (3, (1, 1)))
        for connector_id in connector_ids
    ]
    ((energy_wh, difference_wh),) = server.query(
        "SELECT sum(energy_wh), sum(meter_stop - meter_start) FROM transactions_transaction"
    )
    assert f" {energy_wh / 1000:.2f} kWh" in summary
    assert energy_wh == difference_wh > 6000
    assert server.query("SELECT DISTINCT status FROM connectors_connector") == [("Available",)]
    assert server.query("SELECT vendor, model FROM stations_station ORDER BY identity") == [
        ("Simulated", "Wallbox 22"),
        ("Simulated", "Wallbox 22"),
        ("Simulated", "Column 150"),
    ]
    assert server.query("SELECT * FROM stations_deviation") == []


def test_samples_of_a_session_fit_its_energy(simulate: Simulate, server: LiveServer) -> None:
    assert simulate("--stations", "3").returncode == 0
    rows = server.query(
        "SELECT v.transaction_id, s.measurand, v.effective_at, v.value FROM meter_values v"
        " JOIN meter_series s ON s.id = v.series_id WHERE s.measurand IN"
        " ('Energy.Active.Import.Register', 'Power.Active.Import', 'SoC') ORDER BY v.effective_at"
    )
    sessions = server.query("SELECT id, started_at, meter_start, meter_stop FROM transactions_transaction")
    assert len(sessions) == 3
    for pk, started_at, meter_start, meter_stop in sessions:
        samples = {
            measurand: {at: value for its, name, at, value in rows if (its, name) == (pk, measurand)}
            for measurand in ("Energy.Active.Import.Register", "Power.Active.Import")
        }
        registers, powers = samples.values()
        assert len(powers) > 15
        before, register_wh = started_at, float(meter_start)
        for at, power_w in powers.items():
            assert timedelta(0) < at - before <= timedelta(seconds=60.01)
            assert abs(registers[at] - register_wh - power_w * (at - before).total_seconds() / 3600) <= 1
            before, register_wh = at, registers[at]
        assert registers[max(registers)] == meter_stop
    percents = [value for _, name, _, value in rows if name == "SoC"]
    assert len(percents) > 15
    assert percents == sorted(percents)


def test_next_run_goes_on_where_the_last_one_ended(simulate: Simulate, server: LiveServer) -> None:
    for _ in range(2):
        assert simulate("--stations", "2", "--sessions", "2").returncode == 0
    assert server.query("SELECT count(*), max(marks) FROM transactions_transaction") == [(8, [])]


def test_stations_that_wait_are_accepted_and_get_a_password(
    simulate: Simulate, server: LiveServer, django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock(), server.orm():
        make_station("SIM-0001", registration_status=RegistrationStatus.PENDING, first_accepted_at=None)
        make_id_tag("sim-tag-0001", status="Blocked")
    result = simulate("--password", PASSWORD)
    assert (result.returncode, result.stderr) == (0, "")
    assert server.query("SELECT id_tag, status FROM id_tags_idtag") == [("sim-tag-0001", "Accepted")]
    again = simulate("--no-register", "--password", "another password")
    assert (again.returncode, again.stderr) == (
        1,
        f"CommandError: SIM-0001: cannot connect to {server.url[:-1]}: "
        "refused with HTTP 401 (the password is missing or wrong)\n",
    )


def test_stations_that_are_not_registered_are_an_error(simulate: Simulate, server: LiveServer) -> None:
    result = simulate("--no-register", "--stations", "2")
    assert result.returncode == 1
    assert result.stderr == (
        "CommandError: 2 × BootNotification was answered Pending (the station must be accepted there first), "
        "first SIM-0001\n"
    )
    assert server.query("SELECT identity, registration_status FROM stations_station ORDER BY identity") == [
        ("SIM-0001", "Pending"),
        ("SIM-0002", "Pending"),
    ]


def test_unusable_database_is_told_and_the_run_goes_on(simulate: Simulate, server: LiveServer) -> None:
    assert simulate("--sessions", "0").returncode == 0
    unusable = re.sub(r"/live_\w+", "/no_such_database", server.env["DATABASE_URL"])
    result = simulate(DATABASE_URL=unusable)
    assert result.returncode == 0
    assert result.stderr.startswith(
        "stations not registered: the database is not available (--no-register skips this): "
    )
    assert len(result.stderr.splitlines()) == 1
    assert len(transactions(server)) == 1


def test_run_that_stays_ends_in_order(server: LiveServer) -> None:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "simulate", "--speed", "1", "--stations", "2", "--keep-connected"],
        cwd=REPOSITORY,
        env=environment(server),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: [row[4] for row in transactions(server)], ["open", "open"], timeout_s=30)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, err) == (0, "")
    assert "2 stations, 2 sessions, " in out.splitlines()[-1]
    assert [row[4] for row in transactions(server)] == ["reported", "reported"]
    assert server.query("SELECT DISTINCT status FROM connectors_connector") == [("Available",)]


def test_server_that_restarts_loses_nothing(server: LiveServer) -> None:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "simulate", "--speed", "300", "--stations", "2"],
        cwd=REPOSITORY,
        env=environment(server),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: [row[4] for row in transactions(server)], ["open", "open"], timeout_s=30)
        server.restart()
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, err) == (0, "")
    assert " 2 sessions, " in out.splitlines()[-1]
    assert [row[4:] for row in transactions(server)] == [("reported", []), ("reported", [])]


# Wrong from the start


def failure(*arguments: str) -> str:
    """Run the command without any server, and return its stderr."""
    result = subprocess.run(
        [sys.executable, "manage.py", "simulate", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode != 0
    assert result.stdout == ""
    return result.stderr


def test_url_where_nobody_listens_gets_one_line() -> None:
    url = f"ws://127.0.0.1:{free_port()}/ocpp"
    assert failure("--url", url) == f"CommandError: cannot connect to {url}: Connection refused\n"


def test_url_whose_host_does_not_exist_gets_one_line() -> None:
    error = failure("--url", "ws://nowhere.invalid:9000/ocpp")
    assert error.startswith("CommandError: cannot connect to ws://nowhere.invalid:9000/ocpp: ")
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--url", "http://127.0.0.1:9000"), "--url must look like ws://host:9000/ocpp, not http://127.0.0.1:9000"),
        (
            ("--url", "ws://127.0.0.1:many/ocpp"),
            "--url must look like ws://host:9000/ocpp, not ws://127.0.0.1:many/ocpp",
        ),
        (("--stations", "0"), "--stations must be from 1 to 9999"),
        (("--sessions", "-1"), "--sessions must not be negative"),
        (("--speed", "0.5"), "--speed must be 1 or more"),
        (("--speed", "nan"), "--speed must be 1 or more"),
        (("--duration", "0"), "--duration must be more than 0"),
        (("--password", "short"), "--password: a station's password needs 16 bytes or more (or 32-40 hex digits)"),
    ],
)
def test_option_that_makes_no_sense_gets_one_line(arguments: tuple[str, ...], error: str) -> None:
    assert failure(*arguments) == f"CommandError: {error}\n"


# Commanded by us


@pytest.fixture
def commanded(start_server: Callable[..., LiveServer], django_db_blocker: DjangoDbBlocker) -> Iterator[LiveServer]:
    """A server with SIM-0001 connected and idle; services called here reach it."""
    server = start_server(REDIS_URL=os.environ["REDIS_URL"], SECRET_KEY=settings.SECRET_KEY)
    arguments = ["--sessions", "0", "--keep-connected"]
    with django_db_blocker.unblock(), server.orm(), (server.data_dir / "simulate.log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "simulate", *arguments],
            cwd=REPOSITORY,
            env=environment(server),
            stdout=log,
            stderr=log,
        )
        try:
            until(lambda: Connector.objects.filter(connector_id=2, status="Available").count(), 1, timeout_s=30)
            yield server
            process.terminate()
            code = process.wait(30)
        finally:
            process.kill()
        log.seek(0)
        assert code == 0, log.read()


def command(action: str, payload: dict[str, Any] | None = None) -> Command:
    """Send a command to SIM-0001 and wait until it is answered."""
    asked = request_frame(
        station_id=Station.objects.get(identity="SIM-0001").pk,
        action=action,
        payload=PAYLOADS[action] if payload is None else payload,
        requested_by="test",
        via=CommandVia.SHELL,
        now=datetime.now(UTC),
        waits_s=20,  # for a station that only just comes back
    )

    def has_ended() -> bool:
        asked.refresh_from_db()
        return asked.has_ended

    until(has_ended, True, timeout_s=30)
    assert asked.status == "answered"
    return asked


def test_every_operation_is_answered_and_leads_to_what_it_should(commanded: LiveServer) -> None:
    tried = set()

    def succeeds(action: str, payload: dict[str, Any] | None = None) -> None:
        answered = command(action, payload)
        assert answered.succeeded, (action, answered.response)
        tried.add(action)

    def leads_to(sql: str, *rows: tuple[Any, ...]) -> None:
        until(lambda: commanded.query(sql), list(rows))

    progress = "SELECT status FROM stations_notice WHERE kind = '{}' ORDER BY id"
    statuses = "SELECT status FROM connectors_connector WHERE connector_id = 1"
    stops = "SELECT stop_reason FROM transactions_transaction ORDER BY id"
    boots = "SELECT connection_epoch, firmware_version, disconnected_at FROM stations_station"

    for action in ("GetConfiguration", "ChangeConfiguration", "ClearCache", "GetLocalListVersion", "SendLocalList"):
        succeeds(action)
    succeeds("DataTransfer", {"vendorId": "Simulated", "messageId": "Echo"})
    succeeds("ReserveNow")
    leads_to(statuses, ("Reserved",))
    succeeds("CancelReservation")
    leads_to(statuses, ("Available",))
    for action in ("SetChargingProfile", "GetCompositeSchedule", "ClearChargingProfile"):
        succeeds(action)
    make_id_tag("TAG")
    succeeds("RemoteStartTransaction")
    leads_to(statuses, ("Charging",))
    ((transaction_id,),) = commanded.query("SELECT transaction_id FROM transactions_transaction")
    succeeds("RemoteStopTransaction", {"transactionId": transaction_id})
    leads_to(stops, ("Remote",))
    leads_to(statuses, ("Available",))
    succeeds("RemoteStartTransaction")
    leads_to(statuses, ("Charging",))
    succeeds("UnlockConnector")
    leads_to(stops, ("Remote",), ("UnlockCommand",))
    succeeds("ChangeAvailability")
    leads_to(statuses, ("Unavailable",))
    succeeds("ChangeAvailability", {"connectorId": 1, "type": "Operative"})
    leads_to(statuses, ("Available",))
    succeeds("TriggerMessage")
    succeeds("ExtendedTriggerMessage")
    leads_to("SELECT count(*) FROM stations_certificaterequest", (1,))
    succeeds("GetDiagnostics")
    leads_to(progress.format("diagnostics"), ("Uploading",), ("Uploaded",))
    succeeds("GetLog")
    leads_to(progress.format("log"), ("Uploading",), ("Uploaded",))
    succeeds("UpdateFirmware", {"location": "https://a.b/v7.bin", "retrieveDate": "2026-01-01T00:00:00Z"})
    words = ("Downloading", "Downloaded", "Installing", "Installed")
    leads_to(progress.format("firmware"), *((word,) for word in words))
    leads_to(boots, (2, "v7", None))
    succeeds("Reset")
    leads_to(boots, (3, "v7", None))
    succeeds("GetInstalledCertificateIds")
    # What is no certificate is answered, with a no.
    certificates = {"CertificateSigned", "InstallCertificate", "DeleteCertificate", "SignedUpdateFirmware"}
    assert {command(action).succeeded for action in sorted(certificates)} == {False}
    assert CSMS_INITIATED - tried == certificates
    assert commanded.query("SELECT * FROM stations_deviation") == []


def test_new_password_is_what_the_station_comes_back_with(commanded: LiveServer) -> None:
    assert command("ChangeConfiguration", {"key": "AuthorizationKey", "value": PASSWORD}).succeeded
    station = Station.objects.get(identity="SIM-0001")
    assert verify_password(PASSWORD.encode(), station.password_hash)
    epochs = "SELECT connection_epoch, disconnected_at FROM stations_station"
    until(lambda: commanded.query(epochs), [(2, None)])
    assert command("GetLocalListVersion").succeeded
