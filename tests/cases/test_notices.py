"""What a station tells beside charging: security events, certificates, logs, firmware, diagnostics, vendors' messages.

Each is kept with what it said, when the station says it was, and when it was received.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from stations.models import CertificateRequest, Notice, Station
from tests.support.charger import Charger
from tests.support.payloads import ago, text

CSR = (
    "-----BEGIN CERTIFICATE REQUEST-----\n"
    "MIHZMIGAAgEAMB4xDTALBgNVBAMMBENQLTExDTALBgNVBAoMBEFjbWUwWTATBgcq\n"
    "-----END CERTIFICATE REQUEST-----\n"
)


KINDS = {
    "DiagnosticsStatusNotification": "diagnostics",
    "FirmwareStatusNotification": "firmware",
    "SignedFirmwareStatusNotification": "signed_firmware",
    "LogStatusNotification": "log",
    "SecurityEventNotification": "security_event",
}


def notices(station: Station) -> list[Notice]:
    return list(Notice.objects.filter(station=station).order_by("received_at"))


@pytest.mark.parametrize(
    ("action", "payload", "expected"),
    [
        ("DiagnosticsStatusNotification", {"status": "Uploading"}, ("Uploading", None, "")),
        ("DiagnosticsStatusNotification", {"status": "UploadFailed"}, ("UploadFailed", None, "")),
        ("FirmwareStatusNotification", {"status": "Downloading"}, ("Downloading", None, "")),
        ("FirmwareStatusNotification", {"status": "InstallationFailed"}, ("InstallationFailed", None, "")),
        ("FirmwareStatusNotification", {"status": "Rebooting"}, ("Rebooting", None, "")),
        ("LogStatusNotification", {"status": "Uploaded", "requestId": 7}, ("Uploaded", 7, "")),
        ("LogStatusNotification", {"status": "Idle"}, ("Idle", None, "")),
        (
            "SignedFirmwareStatusNotification",
            {"status": "InvalidSignature", "requestId": 8},
            ("InvalidSignature", 8, ""),
        ),
        (
            "SecurityEventNotification",
            {"type": "TamperDetectionActivated", "timestamp": "2024-05-06T07:08:09.123Z", "techInfo": "lid"},
            ("TamperDetectionActivated", None, "lid"),
        ),
        (
            "SecurityEventNotification",
            {"type": "VendorsOwnEvent", "timestamp": "2024-05-06T07:08:09.123Z"},
            ("VendorsOwnEvent", None, ""),
        ),
    ],
)
def test_notice_is_kept(
    charger: Charger,
    station: Station,
    action: str,
    payload: dict[str, Any],
    expected: tuple[str, int | None, str],
) -> None:
    """Cases 54, 55 and 63, what the station sends of them."""
    before = datetime.now(UTC)
    assert charger.call(action, payload, "1") == [3, "1", {}]
    (notice,) = notices(station)
    assert notice.kind == KINDS[action]
    assert (notice.status, notice.request_id, notice.detail) == expected
    assert notice.payload == payload
    assert before <= notice.received_at <= datetime.now(UTC)
    reported_at = datetime(2024, 5, 6, 7, 8, 9, 123_000, tzinfo=UTC) if "timestamp" in payload else None
    assert notice.reported_at == reported_at


def test_notices_of_an_update_are_kept_in_order(charger: Charger, station: Station) -> None:
    """Case 54 (TC_044_1)."""
    words = ["Downloading", "Downloaded", "Installing", "Installed"]
    for word in words:
        assert charger.result("FirmwareStatusNotification", {"status": word}) == {}
    assert [notice.status for notice in notices(station)] == words


def test_notice_sent_again_is_kept_once(plug: Callable[..., Charger], station: Station) -> None:
    """The same frame after a lost answer is the same notice; the same words under a new id are a new one."""
    payload = {"type": "SettingSystemTime", "timestamp": text(ago(minutes=1))}
    for unique_id in ("a", "a", "b"):
        charger = plug(station)
        assert charger.call("SecurityEventNotification", payload, unique_id) == [3, unique_id, {}]
    assert len(notices(station)) == 2


def test_certificate_request_is_kept_once(charger: Charger, station: Station) -> None:
    """Case 63 (TC_074, first half): Accepted; signing comes later."""
    before = datetime.now(UTC)
    assert charger.call("SignCertificate", {"csr": CSR}, "1") == [3, "1", {"status": "Accepted"}]
    assert charger.call("SignCertificate", {"csr": CSR}, "2") == [3, "2", {"status": "Accepted"}]
    (request,) = CertificateRequest.objects.filter(station=station)
    assert request.csr == CSR
    assert before <= request.received_at <= datetime.now(UTC)
    assert charger.call("SignCertificate", {"csr": CSR + "\n"}, "3") == [3, "3", {"status": "Accepted"}]
    assert CertificateRequest.objects.filter(station=station).count() == 2


@pytest.mark.parametrize(
    ("payload", "detail"),
    [
        ({"vendorId": "Acme", "messageId": "Status", "data": "x"}, "Acme Status: x"),
        ({"vendorId": "Acme"}, "Acme"),
        ({"vendorId": "Acme", "data": {"deep": [1, None, "ä"]}}, 'Acme: {"deep":[1,null,"ä"]}'),
        ({"vendorId": "Acme", "data": "y" * 100_000}, "Acme: " + "y" * 100_000),
    ],
)
def test_data_transfer_is_kept(charger: Charger, station: Station, payload: dict[str, Any], detail: str) -> None:
    """Case 30, decision 8: unknown vendors' messages are stored whole, also where data is JSON and no text."""
    before = datetime.now(UTC)
    assert charger.call("DataTransfer", payload, "1") == [3, "1", {"status": "UnknownVendorId"}]
    (notice,) = notices(station)
    assert [notice.kind, notice.payload, notice.detail, notice.reported_at] == ["data_transfer", payload, detail, None]
    assert before <= notice.received_at <= datetime.now(UTC)


def test_security_event_of_an_unreadable_time_is_kept(charger: Charger, station: Station) -> None:
    payload = {"type": "FirmwareUpdated", "timestamp": "yesterday"}
    assert charger.call("SecurityEventNotification", payload, "1") == [3, "1", {}]
    (notice,) = notices(station)
    assert [notice.status, notice.reported_at, notice.payload] == ["FirmwareUpdated", None, payload]


def test_notices_of_one_station_are_not_anothers(
    charger: Charger, plug: Callable[..., Charger], station: Station, other_station: Station
) -> None:
    frame = '[2,"same","FirmwareStatusNotification",{"status":"Idle"}]'
    assert charger.exchange(frame) == plug(other_station).exchange(frame) == [3, "same", {}]
    assert [len(notices(station)), len(notices(other_station))] == [1, 1]


def test_data_transfer_of_an_unknown_vendor(charger: Charger, station: Station) -> None:
    """Case 30 (TC_064), decision 8: UnknownVendorId, stored with all it said."""
    payload = {"vendorId": "EVBox", "messageId": "evbStatusNotification", "data": '{"temperature": 31}'}
    assert charger.call("DataTransfer", payload, "1") == [3, "1", {"status": "UnknownVendorId"}]
    assert charger.call("DataTransfer", {"vendorId": "EVBox"}, "2") == [3, "2", {"status": "UnknownVendorId"}]
    notices = station.notices.order_by("received_at")
    assert list(notices.values_list("kind", "payload")) == [
        ("data_transfer", payload),
        ("data_transfer", {"vendorId": "EVBox"}),
    ]
    assert notices[0].detail == 'EVBox evbStatusNotification: {"temperature": 31}'
