"""The back office in a real browser: no error in its console, nothing that fails to load, nothing too wide."""

import shutil
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, sync_playwright

from id_tags.services.unknown_tags import note_unknown_id_tag
from meter.services.readings import MeterMessage, record_readings
from stations.admin.commanding import operations
from stations.models import ConfigurationKey, RefusedConnection
from stations.operations import ClearTagCache
from stations.services.batches import create_batch
from stations.types import Origin
from status_notifications.services.statuses import StatusMessage, record_statuses
from status_notifications.types import StatusReport
from tests.support.commanding import request_frame
from tests.support.factories import make_id_tag, make_station, reading, received, start, stop, transaction_of
from transactions.models import OrphanMessage

pytestmark = pytest.mark.live

LONG = "a-rather-long-identity-of-a-charger-somewhere-in-the-field-0123456789"


@pytest.fixture
def paths(transactional_db) -> list[str]:
    """Pages with something on them, of names that are long."""
    User.objects.create_superuser("anna", password="correct horse battery")
    now = timezone.now()
    station = make_station(LONG, name=LONG, connected_at=now, last_seen_at=now, vendor=LONG, firmware_version=LONG)
    status = StatusReport(1, "Faulted", "GroundFailure", LONG, LONG, LONG, now)
    record_statuses(messages=[StatusMessage(received(station, now), status)])
    make_id_tag("TAG", note=LONG)
    begun = now - timedelta(hours=1)
    row = transaction_of(start(station, at=begun))
    for minute in range(40):
        at = begun + timedelta(minutes=minute)
        samples = [
            reading(1000.0 + 100 * minute, reported_at=at),
            reading(6000.0, measurand="Power.Active.Import", unit="W", reported_at=at),
            *(
                reading(230.0, measurand="Voltage", unit="V", phase=phase, reported_at=at)
                for phase in ("L1", "L2", "L3")
            ),
        ]
        message = MeterMessage(received(station, at), 1, row.transaction_id, str(row.transaction_id), samples)
        record_readings(messages=[message])
    start(station, connector_id=2, id_tag=LONG, at=begun)
    stop(station, transaction_ref="-1", at=now)
    note_unknown_id_tag(id_tag=LONG * 3, station_id=station.pk, now=now)
    RefusedConnection.objects.create(
        identity=LONG * 3, reason="unknown_identity", count=1, first_seen_at=now, last_seen_at=now
    )
    orphan = OrphanMessage.objects.get()
    command = request_frame(
        station_id=station.pk,
        action="DataTransfer",
        payload={"vendorId": LONG, "data": LONG * 20},
        requested_by=LONG,
        via="admin",
        now=now,
        reason=LONG,
        waits_s=600,
    )
    origin = Origin("anna", "admin", now)
    batch = create_batch(station_ids=[station.pk], operation=ClearTagCache(), origin=origin, selection=LONG)
    ConfigurationKey.objects.create(station=station, key=LONG, value=LONG * 3, read_at=now)
    commands = f"stations/station/{station.pk}/commands/"
    return [
        "stations/command/",
        f"stations/command/{command.pk}/change/",
        "stations/commandbatch/",
        f"stations/commandbatch/{batch.pk}/change/",
        commands,
        *(f"{commands}{name}/" for name, _ in operations()),
        "transactions/reservation/",
        "transactions/chargingprofile/",
        "id_tags/locallistupdate/",
        "api/apitoken/",
        "",
        "stations/station/",
        f"stations/station/{station.pk}/change/",
        f"stations/station/{station.pk}/set-password/",
        "stations/station/add/",
        "stations/refusedconnection/",
        "stations/notice/",
        "connectors/connector/",
        "transactions/transaction/",
        f"transactions/transaction/{row.pk}/change/",
        f"transactions/transaction/{row.pk}/close/",
        "transactions/orphanmessage/",
        f"transactions/orphanmessage/{orphan.pk}/adopt/",
        "id_tags/idtag/",
        "id_tags/idtag/add/",
        "id_tags/idtag/import/",
        "id_tags/idtag/export/",
        "id_tags/unknownidtag/",
        "meter/metervalue/",
        "status_notifications/statusnotification/",
        "auth/user/",
    ]


@pytest.fixture
def browser_page() -> Iterator[Page]:
    """A page of the distribution's chromium."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert chromium, "these tests need chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


def test_pages_load_without_errors_and_fit(paths, live_server, browser_page):
    problems: list[str] = []
    page = browser_page
    page.on("console", lambda said: problems.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    # A request that going on to the next page cuts off has not failed.
    page.on(
        "requestfailed",
        lambda request: problems.append(request.url) if request.failure != "net::ERR_ABORTED" else None,
    )
    page.on("response", lambda got: problems.append(f"{got.status} {got.url}") if got.status >= 400 else None)

    page.goto(f"{live_server.url}/admin/")
    page.fill("#id_username", "anna")
    page.fill("#id_password", "correct horse battery")
    page.click("[type=submit]")
    for path in paths:
        page.set_viewport_size({"width": 400, "height": 900})
        page.goto(f"{live_server.url}/admin/{path}", wait_until="networkidle")
        assert page.url == f"{live_server.url}/admin/{path}"
        for width in (400, 1400):
            page.set_viewport_size({"width": width, "height": 900})
            too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert (path, width, problems, too_wide) == (path, width, [], 0)
