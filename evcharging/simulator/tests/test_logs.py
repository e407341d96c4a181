"""GetDiagnostics and GetLog, and the progress that is reported."""

import pytest

from tests.support.csms import Csms, Payload

pytestmark = pytest.mark.usefixtures("station")


async def test_diagnostics_are_uploaded(csms: Csms) -> None:
    answer = await csms.command("GetDiagnostics", {"location": "ftp://example.org/"})
    assert answer["fileName"].startswith("diagnostics-SIM-0001-")
    assert await csms.statuses("DiagnosticsStatusNotification", 2) == ["Uploading", "Uploaded"]
    await csms.command("GetDiagnostics", {"location": "gopher://example.org/v2"})
    assert await csms.statuses("DiagnosticsStatusNotification", 2) == ["Uploading", "UploadFailed"]


async def test_log_is_uploaded_and_a_newer_order_goes_before(csms: Csms) -> None:
    def order(request_id: int, location: str = "https://example.org/") -> Payload:
        return {"logType": "SecurityLog", "requestId": request_id, "log": {"remoteLocation": location}}

    answer = await csms.command("GetLog", order(1))
    assert answer["status"] == "Accepted"
    assert answer["filename"].startswith("SecurityLog-SIM-0001-")
    assert await csms.call("LogStatusNotification") == {"status": "Uploading", "requestId": 1}
    assert (await csms.command("GetLog", order(2)))["status"] == "AcceptedCanceled"
    assert await csms.call("LogStatusNotification") == {"status": "Uploading", "requestId": 2}
    assert await csms.call("LogStatusNotification") == {"status": "Uploaded", "requestId": 2}
    await csms.command("GetLog", order(3, "gopher://example.org/"))
    assert await csms.statuses("LogStatusNotification", 2) == ["Uploading", "UploadFailure"]
