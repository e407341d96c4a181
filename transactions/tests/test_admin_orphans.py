"""The inbox of messages that belong to no transaction: adopt or dismiss, with a reason."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry

from meter.models import MeterValue
from meter.services.readings import MeterMessage, record_readings
from stations.models import Station
from tests.support.back_office import findings, messages, page, queries_grow, staff, table_rows
from tests.support.factories import NOON, make_id_tag, make_station, reading, received, start, stop, transaction_of
from transactions.models import OrphanMessage, Transaction
from transactions.services.orphans import adopt_orphan, dismiss_orphan

pytestmark = pytest.mark.django_db
LIST = "/admin/transactions/orphanmessage/"


def url(orphan: OrphanMessage, what: str = "change") -> str:
    return f"{LIST}{orphan.pk}/{what}/"


def orphan_stop(station: Station | None = None, **fields) -> OrphanMessage:
    """A stop that names no transaction and fits none, for the two that are open."""
    station = station or make_station()
    stop(station, **({"transaction_ref": "-1", "content_hash": bytes([len(fields)]) * 16} | fields))
    return OrphanMessage.objects.order_by("-pk")[0]


def two_open(station: Station) -> list[Transaction]:
    return [
        transaction_of(start(station, connector_id=number, id_tag=f"T{number}", at=NOON - timedelta(minutes=number)))
        for number in (1, 2)
    ]


def candidates(text: str) -> int:
    return text.count('name="transaction_id"')


def test_changelist_runs_as_many_queries_for_2_rows_as_for_20(admin_client):
    assert queries_grow(admin_client, LIST, lambda number: orphan_stop(id_tag=f"<script>x{number}")) == 0
    assert page(admin_client, LIST).count("<script>x") == 0


def test_changelist_shows_what_waits_unless_told_otherwise(admin_client):
    orphans = [orphan_stop(transaction_ref=f"ref-{number}") for number in range(2)]
    dismiss_orphan(orphan_id=orphans[0].pk, resolved_by="me", note="x", now=NOON)

    def shown(query: str) -> list[str]:
        return [cells[3] for cells in table_rows(page(admin_client, f"{LIST}{query}"))]

    assert (shown(""), shown("?state=dismissed"), shown("?state=adopted")) == (["ref-1"], ["ref-0"], [])
    assert shown("?state=all") == ["ref-1", "ref-0"]


def test_station_page_tells_of_waiting_orphans(admin_client):
    orphan = orphan_stop()
    text = page(admin_client, f"/admin/stations/station/{orphan.station_id}/change/")
    assert findings(text)[-1] == "1 orphaned messages wait for review."


# Adopting


def test_adopt_offers_the_transactions_of_its_station(admin_client):
    station = make_station()
    two_open(station)
    start(make_station(), id_tag="OTHER")
    text = page(admin_client, url(orphan_stop(station, id_tag="T2", meter_stop=10), "adopt"))
    assert (candidates(text), text.index("tag T2") < text.index("tag T1"), text.count("OTHER")) == (2, True, 0)


def test_adopt_of_a_stop_ends_the_transaction(admin_client):
    make_id_tag("T1")
    station = make_station()
    row, _ = two_open(station)
    orphan = orphan_stop(station)
    data = {"transaction_id": row.transaction_id, "note": "Same register"}
    assert admin_client.post(url(orphan, "adopt"), data).status_code == 302
    row.refresh_from_db()
    orphan.refresh_from_db()
    assert (row.closing, row.meter_stop, "orphan_stop" in row.marks) == ("reported", 6000, True)
    assert (orphan.state, orphan.transaction, orphan.resolved_by) == ("adopted", row, "admin")
    assert orphan.resolution_note == "Same register"
    assert messages(admin_client) == [f"Transaction {row.transaction_id} has adopted the message."]
    assert LogEntry.objects.get().change_message == f"Adopted by transaction {row.transaction_id}."
    assert page(admin_client, f"/admin/transactions/transaction/{row.pk}/change/").count("Same register") == 1


def test_adopt_of_meter_values_gives_their_samples(admin_client):
    station = make_station()
    message = MeterMessage(received(station, NOON), 1, None, "0", [reading(1500.0)])
    record_readings(messages=[message])
    row, _ = two_open(station)
    orphan = OrphanMessage.objects.get()
    admin_client.post(url(orphan, "adopt"), {"transaction_id": row.transaction_id, "note": "x"})
    assert list(MeterValue.objects.values_list("transaction_id", flat=True)) == [row.pk]


def test_adopt_needs_a_choice_and_a_reason(admin_client):
    station = make_station()
    two_open(station)
    orphan = orphan_stop(station)
    text = admin_client.post(url(orphan, "adopt"), {"transaction_id": "", "note": ""}).content.decode()
    assert text.count("This field is required.") == 2


def test_adopt_refuses_another_stations_transaction(admin_client):
    orphan = orphan_stop()
    foreign = transaction_of(start(make_station()))
    data = {"transaction_id": foreign.transaction_id, "note": "x"}
    text = admin_client.post(url(orphan, "adopt"), data).content.decode()
    assert text.count("is not one of the available choices") == 1


def test_adopt_says_when_the_transaction_got_its_stop_meanwhile(admin_client, monkeypatch):
    make_id_tag("T1")
    station = make_station()
    row, _ = two_open(station)
    orphan = orphan_stop(station)
    stop(station, transaction_id=row.transaction_id, content_hash=b"\x77" * 16)
    monkeypatch.setattr("transactions.admin.orphans.adoption_candidates", lambda orphan: [row])
    data = {"transaction_id": row.transaction_id, "note": "x"}
    text = admin_client.post(url(orphan, "adopt"), data).content.decode()
    assert text.count("It does not fit: the transaction already has its stop.") == 1


def test_adopt_and_dismiss_say_when_somebody_was_faster(admin_client):
    station = make_station()
    row, other = two_open(station)
    orphan = orphan_stop(station)
    adopt_orphan(orphan_id=orphan.pk, transaction_id=row.transaction_id, resolved_by="x", note="x", now=NOON)
    admin_client.post(url(orphan, "adopt"), {"transaction_id": other.transaction_id, "note": "x"})
    admin_client.post(url(orphan, "dismiss"), {"note": "x"})
    assert messages(admin_client) == ["Nothing was changed: already adopted."] * 2
    assert page(admin_client, url(orphan)).count(url(orphan, "adopt")) == 0


# Dismissing


def test_dismiss_keeps_the_message_and_the_reason(admin_client):
    orphan = orphan_stop()
    page(admin_client, url(orphan, "dismiss"))
    assert admin_client.post(url(orphan, "dismiss"), {"note": "Test bench"}).status_code == 302
    orphan.refresh_from_db()
    assert (orphan.state, orphan.resolved_by, orphan.resolution_note) == ("dismissed", "admin", "Test bench")
    assert messages(admin_client) == ["The message is dismissed; it stays stored."]


def test_review_needs_permission():
    orphan = orphan_stop()
    viewer = staff("transactions.view_orphanmessage")
    for what in ("adopt", "dismiss"):
        assert viewer.get(url(orphan, what)).status_code == 403
        assert viewer.post(url(orphan, what), {"note": "x"}).status_code == 403
        assert page(viewer, url(orphan)).count(url(orphan, what)) == 0
    page(staff(), LIST, status=403)
    allowed = staff("transactions.change_orphanmessage")
    assert page(allowed, url(orphan)).count(url(orphan, "adopt")) == 1


def test_orphans_are_read_only(admin_client):
    orphan = orphan_stop()
    assert admin_client.post(url(orphan), {"state": "dismissed"}).status_code == 403
    assert admin_client.post(url(orphan, "delete"), {"post": "yes"}).status_code == 403
