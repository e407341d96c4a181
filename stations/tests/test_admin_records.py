"""Boots, notices, certificate requests, deviations and refused connections in the back office."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from stations.models import Boot, CertificateRequest, Deviation, Notice, RefusedConnection, Station
from tests.support.back_office import messages, page, queries_grow, staff, table_rows
from tests.support.factories import make_station

pytestmark = pytest.mark.django_db
MARKUP = "<script>x</script>"
REFUSED = "/admin/stations/refusedconnection/"


def make_boot(number: int) -> Boot:
    return Boot.objects.create(
        station=make_station(),
        received_at=timezone.now(),
        answered_status="Pending",
        vendor=MARKUP,
        payload={"a": MARKUP},
    )


def make_notice(number: int) -> Notice:
    return Notice.objects.create(
        station=make_station(),
        kind="data_transfer",
        payload={"a": MARKUP},
        detail=MARKUP,
        received_at=timezone.now(),
        digest=uuid4(),
    )


def make_request(number: int) -> CertificateRequest:
    return CertificateRequest.objects.create(
        station=make_station(), csr=MARKUP, received_at=timezone.now(), digest=uuid4()
    )


def make_deviation(number: int) -> Deviation:
    now = timezone.now()
    return Deviation.objects.create(
        station=make_station(), action="A", field=MARKUP, rule=f"r{number}", sample=MARKUP, count=3,
        first_seen_at=now, last_seen_at=now,
    )  # fmt: skip


def make_refusal(identity: str = "NEW", reason: str = "unknown_identity", **fields) -> RefusedConnection:
    now = timezone.now()
    defaults = {"first_seen_at": now, "last_seen_at": now, "count": 2, "detail": MARKUP}
    return RefusedConnection.objects.create(identity=identity, reason=reason, **(defaults | fields))


RECORDS = {
    "boot": make_boot,
    "notice": make_notice,
    "certificaterequest": make_request,
    "deviation": make_deviation,
    "refusedconnection": lambda number: make_refusal(f"{MARKUP}{number}"),
}


@pytest.fixture(params=RECORDS)
def record(request):
    """A kind of record and how a row of it is made."""
    return f"/admin/stations/{request.param}/", RECORDS[request.param]


def test_changelist_runs_as_many_queries_for_2_rows_as_for_20(admin_client, record):
    path, make = record
    assert queries_grow(admin_client, path, make) == 0


def test_pages_escape_what_chargers_sent(admin_client, record):
    path, make = record
    row = make(1)
    for text in (page(admin_client, path), page(admin_client, f"{path}{row.pk}/change/")):
        assert (text.count("<script>x"), text.count("&lt;script&gt;x") > 0) == (0, True)


def test_records_are_read_only(admin_client, record):
    path, make = record
    row = make(1)
    page(admin_client, f"{path}add/", status=403)
    assert admin_client.post(f"{path}{row.pk}/change/", {}).status_code == 403
    assert admin_client.post(f"{path}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    admin_client.post(path, {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert type(row).objects.count() == 1


def test_records_need_permission(record):
    path, make = record
    row = make(1)
    page(staff("stations.view_station"), path, status=403)
    model = path.split("/")[3]
    page(staff(f"stations.view_{model}"), f"{path}{row.pk}/change/")


def test_changelist_of_a_period(admin_client):
    old, new = make_boot(1), make_boot(2)
    Boot.objects.filter(pk=old.pk).update(received_at=timezone.now() - timedelta(days=3))
    today = timezone.now().date()
    text = page(admin_client, f"/admin/stations/boot/?received_at_from_0={today}&received_at_from_1=")
    assert [cells[1] for cells in table_rows(text)] == [new.station.identity]
    text = page(admin_client, f"/admin/stations/boot/?received_at_to_0={today - timedelta(days=1)}")
    assert [cells[1] for cells in table_rows(text)] == [old.station.identity]
    assert len(table_rows(page(admin_client, "/admin/stations/boot/?received_at_from_0=nonsense"))) == 2


# Refused connections


def test_accept_one_makes_an_accepted_station(admin_client):
    refused = make_refusal()
    response = admin_client.post(REFUSED, {"row:accept": refused.pk})
    station = Station.objects.get()
    assert (response.status_code, station.identity, station.registration_status) == (302, "NEW", "Accepted")
    assert (messages(admin_client), RefusedConnection.objects.count()) == (["Accepted: NEW."], 0)


def test_accept_many_leaves_known_stations_and_unreadable_identities(admin_client):
    make_station("KNOWN", registration_status="Rejected")
    rows = [
        make_refusal("NEW"),
        make_refusal("new", reason="no_subprotocol"),
        make_refusal("known", reason="wrong_password"),
        make_refusal("\x07", reason="bad_identity"),
    ]
    data = {"action": "accept_identities", "_selected_action": [row.pk for row in rows]}
    admin_client.post(REFUSED, data)
    found = dict(Station.objects.values_list("identity", "registration_status"))
    assert found in ({"KNOWN": "Rejected", "NEW": "Accepted"}, {"KNOWN": "Rejected", "new": "Accepted"})
    assert [text.split(":")[0] for text in messages(admin_client)] == ["Accepted", "2 left as they are"]


def test_refused_connection_of_a_known_station_links_to_it_and_offers_nothing(admin_client):
    station = make_station("Known")
    make_refusal("KNOWN", reason="wrong_password")
    text = page(admin_client, REFUSED)
    assert (text.count(f"/admin/stations/station/{station.pk}/change/"), text.count("row:accept")) == (1, 0)


def test_accept_of_a_row_that_is_gone_or_no_row(admin_client):
    assert admin_client.post(REFUSED, {"row:accept": "4711"}).status_code == 302
    assert admin_client.post(REFUSED, {"row:accept": "x"}).status_code == 400
    assert Station.objects.count() == 0


def test_accept_needs_permission_to_change_stations():
    refused = make_refusal()
    client = staff("stations.view_refusedconnection")
    assert client.post(REFUSED, {"row:accept": refused.pk}).status_code == 403
    client.post(REFUSED, {"action": "accept_identities", "_selected_action": [refused.pk]})
    assert (Station.objects.count(), page(client, REFUSED).count("row:accept")) == (0, 0)
    allowed = staff("stations.view_refusedconnection", "stations.change_station")
    assert page(allowed, REFUSED).count("row:accept") == 1
