"""Transactions in the back office: the list, the page, and closing one."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from meter.services.readings import MeterMessage, record_readings
from stations.models import Station
from tests.support.back_office import findings, messages, page, queries_grow, read_only, staff, table_rows
from tests.support.factories import NOON, make_id_tag, make_station, reading, received, start, stop, transaction_of
from transactions.models import StopConflict, Transaction
from transactions.services.closing import close_stale

pytestmark = pytest.mark.django_db
LIST = "/admin/transactions/transaction/"
MARKUP = "<script>x"


def url(row: Transaction, what: str = "change") -> str:
    return f"{LIST}{row.pk}/{what}/"


def begin(station: Station | None = None, **fields) -> Transaction:
    """An open transaction."""
    return transaction_of(start(station or make_station(), **fields))


def finished(station: Station, **fields) -> Transaction:
    """A transaction of 5 kWh that its station stopped."""
    row = begin(station, **fields)
    stop(station, transaction_id=row.transaction_id)
    row.refresh_from_db()
    return row


# The list


def test_changelist_runs_as_many_queries_for_2_rows_as_for_20(admin_client):
    assert queries_grow(admin_client, LIST, lambda number: begin(id_tag=make_id_tag().id_tag)) == 0


def test_changelist_tells_what_a_transaction_is_like(admin_client):
    make_id_tag("TAG")
    row = finished(make_station("CP"))
    assert table_rows(page(admin_client, LIST)) == [
        [
            str(row.transaction_id), "CP", "1", "TAG", "2026-03-01 12:00:00", "2026-03-01 12:30:00", "5.000 kWh", "",
            "Reported", "",
        ]
    ]  # fmt: skip


def test_changelist_tells_what_an_open_transaction_does(admin_client):
    make_id_tag("TAG")
    station = make_station()
    row = begin(station)
    samples = [
        reading(2500.0),
        reading(7200.0, measurand="Power.Active.Import", unit="W"),
        reading(55.0, measurand="SoC", unit="Percent"),
    ]
    message = MeterMessage(received(station, NOON), 1, row.transaction_id, str(row.transaction_id), samples)
    record_readings(messages=[message])
    assert table_rows(page(admin_client, LIST))[0][6:9] == ["1.500 kWh", "7.20 kW · 55 %", "Open"]


def test_changelist_escapes_tags(admin_client):
    begin(id_tag=MARKUP)
    assert page(admin_client, LIST).count(MARKUP) == 0


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("closing__exact=open", ["refused"]),
        ("closing__exact=reported", ["done"]),
        ("closing__exact=estimated", ["gone"]),
        ("mark=any", ["refused", "gone"]),
        ("mark=none", ["done"]),
        ("mark=refused_tag", ["refused"]),
        ("mark=nonsense", ["refused", "gone", "done"]),
        ("accepted__exact=0", ["refused"]),
        ("started_at_to_0=2026-02-28", ["done"]),
        ("started_at_from_0=2026-03-01&started_at_from_1=12:30", ["refused"]),
        ("q=done", ["done"]),
        ("q=DON", ["done"]),
        ("q=harbour", ["done"]),
        ("q=harbour+done", ["done"]),
        ("q=harbour+gone", []),
        ("q=refused", ["refused"]),
    ],
)
def test_changelist_filters_and_searches(admin_client, query, found):
    for tag in ("done", "gone"):
        make_id_tag(tag)
    finished(make_station("CP-9", name="Harbour"), id_tag="done", at=NOON - timedelta(days=2))
    begin(make_station("CP-8"), id_tag="gone", received_at=NOON)
    close_stale(now=NOON + timedelta(days=2))
    begin(make_station("CP-7"), id_tag="refused", at=NOON + timedelta(hours=1))
    text = page(admin_client, f"{LIST}?{query}")
    assert [cells[3].split()[0] for cells in table_rows(text)] == found


def test_changelist_finds_a_transaction_by_its_id(admin_client):
    rows = [begin() for _ in range(3)]
    number = rows[1].transaction_id
    assert [cells[0] for cells in table_rows(page(admin_client, f"{LIST}?q={number}"))] == [str(number)]
    assert table_rows(page(admin_client, f"{LIST}?q=99999999999999999999")) == []


def test_changelist_counts_no_further_than_it_must(admin_client, monkeypatch):
    monkeypatch.setattr("evcharging.back_office.paginators.MAX_COUNTED", 2)
    for _ in range(4):
        begin()
    assert " ".join(page(admin_client, LIST).split()).count("More than 2 transactions") == 1


# The page


def test_page_tells_what_to_know_before_billing(admin_client):
    row = begin(meter_start=None, id_tag="nobody", at=timezone.now() - timedelta(days=3))
    Transaction.objects.filter(pk=row.pk).update(
        last_message_at=timezone.now() - timedelta(hours=30), marks=["refused_tag", "overlap"]
    )
    assert findings(page(admin_client, url(row))) == [
        "The tag was refused: Invalid.",
        "Open, but nothing was heard of it for 1 d 6 h.",
        "Its energy is unknown: the start carried no meter reading.",
        "Overlaps another on the connector.",
    ]


def test_page_shows_an_estimate_beside_the_reported_end(admin_client):
    make_id_tag("TAG")
    station = make_station()
    row = begin(station)
    admin_client.post(url(row, "close"), {"note": "Cable cut"})
    assert findings(page(admin_client, url(row))) == [
        "Its end is an estimate (closed by staff): no StopTransaction has come."
    ]
    stop(station, transaction_id=row.transaction_id)
    text = page(admin_client, url(row))
    assert findings(text) == ["The reported end replaced an estimate, by +5.000 kWh."]
    assert (text.count("<dt>Estimated energy</dt>"), text.count("Cable cut") > 0) == (1, True)


def test_page_shows_fractions_of_a_wh_where_there_are_some(admin_client):
    make_id_tag("TAG")
    row = begin(station := make_station(), meter_start=1000.5)
    stop(station, transaction_id=row.transaction_id, meter_stop=6000)
    text = page(admin_client, url(row))
    assert text.count("1,000.5 Wh → 6,000 Wh") == 1
    assert [read_only(text, name) for name in ("Meter start (Wh)", "Meter stop (Wh)", "Energy (Wh)")] == [
        "1000.5", "6000", "4999.5",
    ]  # fmt: skip


@pytest.mark.parametrize(("reason", "text"), [("DeAuthorized", "De Authorized"), ("SOCLimitReached",) * 2])
def test_page_shows_any_word_for_a_stop_reason(admin_client, reason, text):
    make_id_tag("TAG")
    row = begin(station := make_station())
    stop(station, transaction_id=row.transaction_id, reason=reason)
    assert read_only(page(admin_client, url(row)), "Stop reason") == text


def test_page_shows_conflicts_and_escapes_them(admin_client):
    make_id_tag("TAG")
    row = finished(make_station())
    payload = {"meterStop": MARKUP, "timestamp": MARKUP, "reason": MARKUP}
    StopConflict.objects.create(
        transaction=row, digest="00000000-0000-0000-0000-000000000001", payload=payload, received_at=NOON
    )
    text = page(admin_client, url(row))
    assert (findings(text), text.count(MARKUP)) == (["1 later stops say something else; none was applied."], 0)


def test_page_is_read_only(admin_client):
    row = begin()
    assert admin_client.post(url(row), {"energy_wh": "1"}).status_code == 403
    assert admin_client.post(url(row, "delete"), {"post": "yes"}).status_code == 403
    page(admin_client, f"{LIST}add/", status=403)
    admin_client.post(LIST, {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert Transaction.objects.count() == 1


def test_pages_need_permission():
    row = begin()
    page(staff(), LIST, status=403)
    page(staff("stations.view_station"), url(row), status=403)
    page(staff("transactions.view_transaction"), url(row))


# Closing


def test_close_asks_for_a_reason(admin_client):
    row = begin()
    assert page(admin_client, url(row, "close")).count(f"Close transaction {row.transaction_id}?") == 2
    answer = admin_client.post(url(row, "close"), {"note": " "}).content.decode()
    row.refresh_from_db()
    assert (answer.count("This field is required."), row.is_open) == (1, True)


def test_close_ends_the_transaction_and_keeps_the_reason(admin_client):
    row = begin()
    assert admin_client.post(url(row, "close"), {"note": "Cable cut"}).status_code == 302
    row.refresh_from_db()
    assert (row.closing, row.closed_by, row.close_note) == ("estimated", "admin", "Cable cut")
    assert messages(admin_client) == [
        f"Transaction {row.transaction_id} is closed as of its last reading, until its own stop comes."
    ]
    assert LogEntry.objects.get().change_message == "Closed."


def test_close_of_one_that_has_ended_is_not_offered_and_says_so(admin_client):
    make_id_tag("TAG")
    row = finished(make_station())
    assert page(admin_client, url(row)).count(url(row, "close")) == 0
    assert admin_client.get(url(row, "close")).status_code == 302
    admin_client.post(url(row, "close"), {"note": "x"})
    number = row.transaction_id
    assert messages(admin_client) == [
        f"Transaction {number} has ended already.",
        f"Nothing was closed: transaction {number} has ended already.",
    ]


def test_close_needs_permission():
    row = begin()
    viewer = staff("transactions.view_transaction")
    assert viewer.post(url(row, "close"), {"note": "x"}).status_code == 403
    assert page(viewer, url(row)).count(url(row, "close")) == 0
    allowed = staff("transactions.change_transaction")
    assert page(allowed, url(row)).count(url(row, "close")) == 1
    allowed.post(url(row, "close"), {"note": "x"})
    row.refresh_from_db()
    assert not row.is_open


# Elsewhere


def test_station_page_shows_what_charges_and_what_is_silent(admin_client):
    station = make_station()
    row = begin(station, at=timezone.now() - timedelta(days=3))
    text = page(admin_client, f"/admin/stations/station/{station.pk}/change/")
    silent = [one for one in findings(text) if "nothing was heard" in one]
    assert silent == [f"Transaction {row.transaction_id} is open, but nothing was heard of it for 3 d."]


def test_stop_conflicts_changelist(admin_client):
    make_id_tag("TAG")

    def make(number: int) -> None:
        row = finished(make_station(), id_tag=make_id_tag().id_tag)
        payload = {"meterStop": f"{MARKUP}{number}"}
        StopConflict.objects.create(
            transaction=row, digest=f"00000000-0000-0000-0000-{number:012}", payload=payload, received_at=NOON
        )

    path = "/admin/transactions/stopconflict/"
    assert queries_grow(admin_client, path, make) == 0
    assert page(admin_client, path).count(MARKUP) == 0
    page(admin_client, f"{path}{StopConflict.objects.first().pk}/change/")
    page(admin_client, f"{path}add/", status=403)
    page(staff("transactions.view_transaction"), path, status=403)
