"""SetChargingProfile, ClearChargingProfile and GetCompositeSchedule, and the limits that are measured."""

from typing import Any

import pytest

from tests.support.csms import Csms, Payload
from tests.support.steps import charging, remote_start

pytestmark = pytest.mark.usefixtures("station")


def profile(**fields: Any) -> Payload:
    limit = fields.pop("limit", 6.0)
    return {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
        },
    } | fields


async def set_profile(csms: Csms, connector_id: int, **fields: Any) -> str:
    payload = {"connectorId": connector_id, "csChargingProfiles": profile(**fields)}
    return str((await csms.command("SetChargingProfile", payload))["status"])


async def test_profile_without_power_suspends_and_its_end_resumes(csms: Csms) -> None:
    await csms.command("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "1"})
    await charging(csms)
    purpose = {"chargingProfilePurpose": "TxProfile", "transactionId": 71}
    assert await set_profile(csms, 1, limit=0, **purpose) == "Accepted"
    assert await csms.status(1) == "SuspendedEVSE"
    assert await csms.command("ClearChargingProfile", {"id": 1}) == {"status": "Accepted"}
    assert await csms.status(1) == "Charging"


async def test_profile_limits_what_is_measured(csms: Csms) -> None:
    await csms.command("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "1"})
    given = profile(chargingProfilePurpose="TxProfile")
    await remote_start(csms, chargingProfile=given)
    await csms.call("MeterValues")
    reading = await csms.call("MeterValues")
    currents = [
        value["value"] for value in reading["meterValue"][0]["sampledValue"] if value["measurand"] == "Current.Import"
    ]
    assert currents == ["6.0", "6.0", "6.0"]


async def test_profile_that_does_not_fit_is_rejected(csms: Csms) -> None:
    assert await set_profile(csms, 1, chargingProfilePurpose="ChargePointMaxProfile") == "Rejected"
    assert await set_profile(csms, 1, chargingProfilePurpose="TxProfile") == "Rejected"
    assert await set_profile(csms, 3) == "Rejected"
    assert await set_profile(csms, 0, stackLevel=99) == "Rejected"
    await charging(csms)
    wrong = await set_profile(csms, 1, chargingProfilePurpose="TxProfile", transactionId=72)
    assert wrong == "Rejected"
    given = {"idTag": "TAG", "chargingProfile": profile()}
    assert await csms.command("RemoteStartTransaction", given) == {"status": "Rejected"}


async def test_clear_of_what_is_not_there_is_unknown(csms: Csms) -> None:
    assert await csms.command("ClearChargingProfile", {"id": 5}) == {"status": "Unknown"}
    await set_profile(csms, 1)
    assert await csms.command("ClearChargingProfile", {"connectorId": 2}) == {"status": "Unknown"}
    assert await csms.command("ClearChargingProfile", {"stackLevel": 0}) == {"status": "Accepted"}
    assert await csms.command("ClearChargingProfile") == {"status": "Unknown"}


async def test_composite_schedule_is_the_least_of_all(csms: Csms) -> None:
    steps = [{"startPeriod": 0, "limit": 10.0}, {"startPeriod": 600, "limit": 21.4}]
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": steps}
    assert await set_profile(csms, 1, chargingSchedule=schedule) == "Accepted"
    most = {"chargingProfilePurpose": "ChargePointMaxProfile", "chargingProfileId": 2}
    assert await set_profile(csms, 0, limit=16.0, **most) == "Accepted"
    asked = {"connectorId": 1, "duration": 900, "chargingRateUnit": "A"}
    answer = await csms.command("GetCompositeSchedule", asked)
    assert (answer["status"], answer["connectorId"]) == ("Accepted", 1)
    assert answer["chargingSchedule"] == {
        "duration": 900,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.0}, {"startPeriod": 600, "limit": 16.0}],
    }
    of_the_station = await csms.command("GetCompositeSchedule", {"connectorId": 0, "duration": 60})
    assert of_the_station["chargingSchedule"]["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 11_040.0}]
    assert await csms.command("GetCompositeSchedule", asked | {"connectorId": 3}) == {"status": "Rejected"}
