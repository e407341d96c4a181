"""Runs against a minimal central system: the order of messages, and what is recorded as an error."""

import asyncio
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import Mock

import pytest

from evcharging.simulator.commands.route_map import route_map
from evcharging.simulator.persistent_state import PersistentState
from evcharging.simulator.run_statistics import RunStatistics
from evcharging.simulator.station import Station
from evcharging.simulator.tests.conftest import Run
from tests.support.csms import Csms, Payload

OPERATIONS = {
    "CancelReservation", "CertificateSigned", "ChangeAvailability", "ChangeConfiguration", "ClearCache",
    "ClearChargingProfile", "DataTransfer", "DeleteCertificate", "ExtendedTriggerMessage", "GetCompositeSchedule",
    "GetConfiguration", "GetDiagnostics", "GetInstalledCertificateIds", "GetLocalListVersion", "GetLog",
    "InstallCertificate", "RemoteStartTransaction", "RemoteStopTransaction", "ReserveNow", "Reset", "SendLocalList",
    "SetChargingProfile", "SignedUpdateFirmware", "TriggerMessage", "UnlockConnector", "UpdateFirmware",
}  # fmt: skip


def payloads(csms: Csms, action: str) -> list[Payload]:
    return [payload for name, payload in csms.received if name == action]


async def test_session_goes_through_every_step(csms: Csms, run: Run) -> None:
    statistics = await run(sessions=1).finished()
    assert statistics.error_lines() == []
    told = [
        f"{payload['status']} {payload['connectorId']}" if action == "StatusNotification" else action
        for action, payload in csms.received
        if action != "MeterValues"
    ]
    assert told == [
        "BootNotification", "Available 0", "Available 1", "Available 2", "Heartbeat", "Preparing 1", "Authorize",
        "StartTransaction", "Charging 1", "Finishing 1", "StopTransaction", "Available 1",
    ]  # fmt: skip
    (start,), (stop,) = payloads(csms, "StartTransaction"), payloads(csms, "StopTransaction")
    assert start["idTag"] == "SIM-TAG-0001"
    assert statistics.sessions == 1
    assert statistics.energy_wh == stop["meterStop"] - start["meterStart"] > 1000


async def test_register_rises_with_power_times_time(csms: Csms, run: Run) -> None:
    await run(sessions=1).finished()
    (start,) = payloads(csms, "StartTransaction")
    before, register_wh = datetime.fromisoformat(start["timestamp"]), start["meterStart"]
    readings = payloads(csms, "MeterValues")
    assert len(readings) > 15
    for reading in readings:
        (sample,) = reading["meterValue"]
        at = datetime.fromisoformat(sample["timestamp"])
        values = {value["measurand"]: float(value["value"]) for value in sample["sampledValue"]}
        expected_wh = values["Power.Active.Import"] * (at - before).total_seconds() / 3600
        rise_wh = values["Energy.Active.Import.Register"] - register_wh
        assert abs(rise_wh - expected_wh) <= 1.0
        assert abs(values["Voltage"] - 230) < 5
        amperes = values["Power.Active.Import"] / 3 / 230
        assert abs(values["Current.Import"] - amperes) < 0.1
        before, register_wh = at, values["Energy.Active.Import.Register"]
    assert before < datetime.now(UTC)


async def test_fast_charger_reports_the_state_of_charge_which_rises(csms: Csms, run: Run) -> None:
    statistics = await run(sessions=1, stations=3).finished()
    assert statistics.error_lines() == []
    fast = [
        [float(value["value"]) for value in reading["meterValue"][0]["sampledValue"] if value["measurand"] == "SoC"]
        for reading in payloads(csms, "MeterValues")
    ]
    percents = [percent for values in fast for percent in values]
    assert len(percents) > 15
    assert percents == sorted(percents)
    assert 0 < percents[0] < percents[-1] <= 100


async def test_sessions_take_turns_at_the_connectors_and_do_not_overlap(csms: Csms, run: Run) -> None:
    statistics = await run(sessions=3).finished()
    assert statistics.sessions == 3
    starts, stops = payloads(csms, "StartTransaction"), payloads(csms, "StopTransaction")
    assert [start["connectorId"] for start in starts] == [1, 2, 1]
    times = [message["timestamp"] for pair in zip(starts, stops, strict=True) for message in pair]
    assert times == sorted(times)
    assert starts[2]["meterStart"] == stops[0]["meterStop"]


async def test_next_run_goes_on_where_the_last_one_ended(csms: Csms, run: Run, tmp_path: Path) -> None:
    for _ in range(2):
        assert (await run(sessions=2, state_dir=tmp_path).finished()).error_lines() == []
    starts, stops = payloads(csms, "StartTransaction"), payloads(csms, "StopTransaction")
    times = [message["timestamp"] for pair in zip(starts, stops, strict=True) for message in pair]
    assert times == sorted(times)
    assert datetime.fromisoformat(times[-1]) <= datetime.now(UTC)
    assert [start["meterStart"] for start in starts[2:]] == [stop["meterStop"] for stop in stops[:2]]


async def test_same_seed_makes_the_same_vehicles(csms: Csms, run: Run) -> None:
    energies = [(await run(sessions=1, seed=seed).finished()).energy_wh for seed in (5, 5, 6)]
    assert abs(energies[0] - energies[1]) <= 1  # the register's fraction
    assert abs(energies[0] - energies[2]) > 1


async def test_duration_bounds_the_run(csms: Csms, run: Run) -> None:
    began = asyncio.get_running_loop().time()
    statistics = await run(duration_s=3.0).finished()
    assert 3.0 <= asyncio.get_running_loop().time() - began < 6.0
    assert statistics.sessions >= 1
    assert len(payloads(csms, "StartTransaction")) == len(payloads(csms, "StopTransaction")) == statistics.sessions


async def test_stop_ends_the_session_that_runs(csms: Csms, run: Run) -> None:
    running = run(sessions=1, speed=1.0)
    await csms.call("StartTransaction")
    statistics = await running.end()
    assert statistics.error_lines() == []
    assert len(payloads(csms, "StopTransaction")) == 1


async def test_summary_is_the_last_line(csms: Csms, run: Run) -> None:
    running = run(sessions=1)
    statistics = await running.finished()
    kwh = f"{statistics.energy_wh / 1000:.2f} kWh"
    assert running.lines[-1].startswith(
        f"1 station, 1 session, {kwh}, {statistics.answered_calls.total()} messages answered, "
    )


def test_every_operation_has_a_handler() -> None:
    station = Station(1, url="", statistics=RunStatistics(), state=PersistentState(), random=Random(1))
    routes = route_map(station, connection=Mock(), after_answer=Mock())
    assert {str(action) for action in routes if "_on_action" in routes[action]} == OPERATIONS


# Errors


@pytest.mark.parametrize(
    ("action", "answer", "error"),
    [
        ("Authorize", {"idTagInfo": {"status": "Blocked"}}, "Authorize of SIM-TAG-0001 was answered Blocked"),
        ("Authorize", ["InternalError", "oops", {}], "Authorize was answered InternalError oops"),
        ("Heartbeat", {"currentTime": 7}, "Heartbeat was answered TypeConstraintViolation 7 is not of type 'string'"),
        (
            "StartTransaction",
            {"transactionId": 1, "idTagInfo": {"status": "ConcurrentTx"}},
            "StartTransaction of SIM-TAG-0001 was answered ConcurrentTx",
        ),
        (
            "BootNotification",
            {"status": "Rejected", "currentTime": "2026-01-01T00:00:00Z", "interval": 60},
            "BootNotification was answered Rejected (the station must be accepted there first)",
        ),
    ],
)
async def test_wrong_answer_is_an_error(csms: Csms, run: Run, action: str, answer: Any, error: str) -> None:
    csms.answers[action] = answer
    statistics = await run(sessions=1, speed=3600.0).finished()
    assert error in statistics.errors


async def test_refused_sample_is_an_error(csms: Csms, run: Run) -> None:
    answers = iter([["GenericError", "", {}]])
    csms.answers["MeterValues"] = lambda payload: next(answers, {})
    statistics = await run(sessions=1).finished()
    assert dict(statistics.errors) == {"MeterValues was answered GenericError": 1}


async def test_refused_transaction_message_is_tried_again(csms: Csms, run: Run) -> None:
    answers = iter([["InternalError", "", {}], {"transactionId": 9, "idTagInfo": {"status": "Accepted"}}])
    csms.answers["StartTransaction"] = lambda payload: next(answers)
    statistics = await run(sessions=1).finished()
    assert dict(statistics.errors) == {"StartTransaction was answered InternalError": 1}
    first, second = payloads(csms, "StartTransaction")
    assert first == second
    assert statistics.sessions == 1


async def test_refused_connection_is_an_error(csms: Csms, run: Run) -> None:
    csms.refused_with = HTTPStatus.UNAUTHORIZED
    statistics = await run(sessions=1).finished()
    assert statistics.error_lines() == [
        f"SIM-0001: cannot connect to {csms.url}: refused with HTTP 401 (the password is missing or wrong)"
    ]


async def test_same_error_of_many_stations_is_one_line(csms: Csms, run: Run) -> None:
    csms.refused_with = HTTPStatus.NOT_FOUND
    statistics = await run(sessions=1, stations=3).finished()
    (line,) = statistics.error_lines()
    assert line.startswith("3 × cannot connect to ")
    assert "HTTP 404" in line


async def test_connection_closed_for_a_fault_is_an_error(csms: Csms, run: Run) -> None:
    running = run(keep_connected=True)
    await csms.booted()
    await csms.drop(1011)
    await csms.call("Heartbeat")
    assert list((await running.end()).errors) == ["the connection was closed with 1011"]


async def test_frame_that_is_no_ocpp_is_an_error(csms: Csms, run: Run) -> None:
    running = run(keep_connected=True)
    await csms.booted()
    await csms.send("{}")
    await csms.command("GetLocalListVersion")
    (error,) = (await running.end()).errors
    assert error.startswith("invalid OCPP frame: ")


async def test_pending_station_waits_for_acceptance_if_it_stays(csms: Csms, run: Run) -> None:
    pending = {"status": "Pending", "currentTime": "2026-01-01T00:00:00Z", "interval": 1}
    csms.answers["BootNotification"] = pending
    running = run(keep_connected=True)
    await csms.call("BootNotification")
    assert await csms.command("GetLocalListVersion") == {"listVersion": 0}
    assert await csms.command("RemoteStartTransaction", {"idTag": "TAG"}) == {"status": "Rejected"}
    assert payloads(csms, "StatusNotification") == []
    csms.answers["BootNotification"] = pending | {"status": "Accepted"}
    await csms.booted()
    assert (await running.end()).error_lines() == []


async def test_password_is_sent_as_the_bytes_it_stands_for(csms: Csms, run: Run) -> None:
    await run(password="a" * 40).finished()
    await run(password="correct horse battery").finished()
    assert csms.handshakes == [b"SIM-0001:" + b"\xaa" * 20, b"SIM-0001:correct horse battery"]


async def test_timestamps_of_sessions_are_never_ahead(csms: Csms, run: Run) -> None:
    await run(sessions=2).finished()
    for action in ("StartTransaction", "StopTransaction"):
        for payload in payloads(csms, action):
            assert datetime.fromisoformat(payload["timestamp"]) <= datetime.now(UTC) + timedelta(milliseconds=1)
