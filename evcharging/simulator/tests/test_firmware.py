"""UpdateFirmware and SignedUpdateFirmware, and the progress that is reported."""

from typing import Any

import pytest

from tests.support.certificates import Authority, pem
from tests.support.csms import Csms, Payload
from tests.support.steps import at, charging

pytestmark = pytest.mark.usefixtures("station")


async def test_firmware_update_installs_and_boots_with_the_new_version(csms: Csms) -> None:
    order = {"location": "https://example.org/v2.1.0.bin", "retrieveDate": at()}
    assert await csms.command("UpdateFirmware", order) == {}
    action = "FirmwareStatusNotification"
    assert await csms.statuses(action, 3) == ["Downloading", "Downloaded", "Installing"]
    assert (await csms.call("BootNotification"))["firmwareVersion"] == "v2.1.0"
    assert await csms.statuses(action, 1) == ["Installed"]


async def test_firmware_update_waits_for_the_session(csms: Csms) -> None:
    await charging(csms)
    await csms.command("UpdateFirmware", {"location": "https://example.org/v2.bin", "retrieveDate": at()})
    assert await csms.statuses("FirmwareStatusNotification", 2) == ["Downloading", "Downloaded"]
    await csms.command("RemoteStopTransaction", {"transactionId": 71})
    assert (await csms.call("StopTransaction"))["reason"] == "Remote"
    assert await csms.statuses("FirmwareStatusNotification", 1) == ["Installing"]


async def test_firmware_that_cannot_be_fetched_fails(csms: Csms) -> None:
    await csms.command("UpdateFirmware", {"location": "gopher://example.org/v2", "retrieveDate": at()})
    assert await csms.statuses("FirmwareStatusNotification", 2) == ["Downloading", "DownloadFailed"]


def signed_update(authority: Authority, **fields: Any) -> Payload:
    firmware = {
        "location": "https://example.org/v3.bin",
        "retrieveDateTime": at(),
        "signingCertificate": pem(authority[1]),
        "signature": "c2lnbmVk",
    }
    return {"requestId": 12, "firmware": firmware | fields}


async def test_signed_firmware_update_is_reported_with_its_request(csms: Csms, authority: Authority) -> None:
    assert await csms.command("SignedUpdateFirmware", signed_update(authority)) == {"status": "Accepted"}
    action = "SignedFirmwareStatusNotification"
    words = ["Downloading", "Downloaded", "SignatureVerified", "Installing", "InstallRebooting"]
    assert await csms.statuses(action, 5) == words
    await csms.booted()
    assert await csms.call(action) == {"status": "Installed", "requestId": 12}
    assert (await csms.call("SecurityEventNotification"))["type"] == "FirmwareUpdated"


async def test_signed_firmware_update_with_a_bad_signature_ends(csms: Csms, authority: Authority) -> None:
    await csms.command("SignedUpdateFirmware", signed_update(authority, signature="%%%"))
    action = "SignedFirmwareStatusNotification"
    assert await csms.statuses(action, 3) == ["Downloading", "Downloaded", "InvalidSignature"]
    assert (await csms.call("SecurityEventNotification"))["type"] == "InvalidFirmwareSignature"


async def test_signed_firmware_update_with_a_bad_certificate_is_refused(csms: Csms, authority: Authority) -> None:
    answer = await csms.command("SignedUpdateFirmware", signed_update(authority, signingCertificate="none"))
    assert answer == {"status": "InvalidCertificate"}


async def test_signed_firmware_update_takes_the_place_of_another(csms: Csms, authority: Authority) -> None:
    later = signed_update(authority, retrieveDateTime=at(hours=1))
    assert await csms.command("SignedUpdateFirmware", later) == {"status": "Accepted"}
    assert await csms.statuses("SignedFirmwareStatusNotification", 1) == ["DownloadScheduled"]
    assert await csms.command("SignedUpdateFirmware", signed_update(authority)) == {"status": "AcceptedCanceled"}
    assert await csms.statuses("SignedFirmwareStatusNotification", 1) == ["Downloading"]
