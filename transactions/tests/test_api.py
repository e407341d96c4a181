"""Transactions and orphans in the API."""

from datetime import timedelta

import pytest

from tests.support.api import ROOT, Program, errors, queries_grow
from tests.support.factories import NOON, make_id_tag, make_station, start, stop, transaction_of
from transactions.models import OrphanMessage, Transaction

pytestmark = pytest.mark.django_db


@pytest.fixture
def program() -> Program:
    return Program(name="billing")


def make(number: int = 0, **fields) -> Transaction:
    station = fields.pop("station", None) or make_station()
    return transaction_of(start(station, at=NOON + timedelta(minutes=number), **fields))


def test_ended_transaction_shows_what_is_billed(program):
    station = make_station("A")
    row = make(station=station)
    stop(station, transaction_id=row.transaction_id)
    shown = program.get(f"transactions/{row.transaction_id}/")
    assert {name: shown[name] for name in ("station", "connector_id", "id_tag", "meter_start", "meter_stop")} == {
        "station": "A", "connector_id": 1, "id_tag": "TAG", "meter_start": 1000, "meter_stop": 6000,
    }  # fmt: skip
    assert (shown["started_at"], shown["stopped_at"]) == ("2026-03-01T12:00:00Z", "2026-03-01T12:30:00Z")
    assert (shown["energy_wh"], shown["closing"], shown["stop_reason"]) == (5000, "reported", "Local")


def test_whole_numbers_of_wh_are_integers_and_fractions_are_kept(program):
    station = make_station("A")
    row = make(station=station, meter_start=1000.25)
    stop(station, transaction_id=row.transaction_id, meter_stop=6000)
    text = program.client.get(f"{ROOT}transactions/{row.transaction_id}/").content
    for member in (b'"meter_start":1000.25,', b'"meter_stop":6000,', b'"energy_wh":4999.75,'):
        assert text.count(member) == 1
    Transaction.objects.update(meter_stop=2**63 - 1, meter_start=-(2**63), energy_wh=2**64 - 1)
    text = program.client.get(f"{ROOT}transactions/{row.transaction_id}/").content
    assert text.count(b'"meter_start":-9223372036854775808,') == 1
    assert text.count(b'"meter_stop":9223372036854775807,') == 1


def test_transaction_shows_the_words_of_its_station(program):
    station = make_station("A")
    row = make(station=station)
    stop(station, transaction_id=row.transaction_id, reason="ReqEnergyTransferRejected")
    shown = program.get(f"transactions/{row.transaction_id}/")
    assert [shown[name] for name in ("ref", "stop_reason", "id_tag_kind", "plug")] == [
        str(row.transaction_id), "ReqEnergyTransferRejected", "", None,
    ]  # fmt: skip


def test_transactions_filtered(program):
    make_id_tag("TAG")
    first, second = make(0, station=make_station("A")), make(60, connector_id=2, id_tag="Other")
    both = [second.transaction_id, first.transaction_id]
    assert program.ids("transactions/", "transaction_id") == both
    for parameters, expected in (
        ({"station": "a"}, [first]),
        ({"station": "none"}, []),
        ({"connector_id": "2"}, [second]),
        ({"id_tag": "tag"}, [first]),
        ({"accepted": "true"}, [first]),
        ({"accepted": "false"}, [second]),
        ({"since": "2026-03-01T13:00:00Z"}, [second]),
        ({"since": "2026-03-01T13:00:00.000001Z"}, []),
        ({"until": "2026-03-01T13:00:00Z"}, [first]),
        ({"until": "2026-03-01T14:00:00+01:00"}, [first]),
        ({"since": "2026-03-01T12:00:00Z", "until": "2026-03-01T13:00:01Z"}, [second, first]),
        ({"since": "2026-03-02T12:00:00Z", "until": "2026-03-01T12:00:00Z"}, []),
        ({"closing": "reported"}, []),
    ):
        found = program.ids("transactions/", "transaction_id", **parameters)
        assert found == [row.transaction_id for row in expected], parameters


def test_marked_and_unmarked_part_the_transactions(program):
    make(0)
    row = make(1)
    Transaction.objects.filter(pk=row.pk).update(marks=["clock_unset"])
    Transaction.objects.exclude(pk=row.pk).update(marks=[])
    assert program.ids("transactions/", "transaction_id", marked="true") == [row.transaction_id]
    assert program.ids("transactions/", "transaction_id", mark="clock_unset") == [row.transaction_id]
    assert len(program.ids("transactions/", "transaction_id", marked="false")) == 1


@pytest.mark.parametrize("ordering", ["-started_at", "started_at", "transaction_id", "-transaction_id"])
def test_pages_hold_every_transaction_once(program, ordering):
    rows = [make(number // 3) for number in range(8)]  # several at the same instant
    found = program.ids("transactions/", "transaction_id", ordering=ordering, page_size=3)
    ids = [row.transaction_id for row in rows]
    assert found == (ids[::-1] if ordering.startswith("-") else ids)


def test_latest_transactions_come_before_an_open_page_and_not_into_it(program):
    ids = [make(number).transaction_id for number in range(4)]
    page = program.get("transactions/", page_size=2)
    make(10)
    rest = program.client.get(page["next"]).json()
    assert [row["transaction_id"] for row in page["results"] + rest["results"]] == ids[::-1]
    assert rest["next"] is None


def test_close(program):
    row = make()
    path = f"transactions/{row.transaction_id}/close/"
    assert list(errors(program.post(path, {}, status=400))) == ["#/note"]
    shown = program.post(path, {"note": "no stop came"})
    assert (shown["closing"], shown["closed_by"], shown["close_note"]) == ("estimated", "api:billing", "no stop came")
    assert program.post(path, {"note": "again"}, status=409)["type"] == "urn:evcharging:problem:not-open"
    program.post("transactions/2147483647/close/", {"note": "x"}, status=404)


def orphan(station=None) -> OrphanMessage:
    stop(station or make_station(), transaction_ref="-1", at=NOON + timedelta(hours=1))
    return OrphanMessage.objects.latest("pk")


def test_orphan_is_adopted_once(program):
    station = make_station("A")
    message, row = orphan(station), make(station=station)  # a stop that knows its transaction is no orphan
    path = f"orphans/{message.pk}/adopt/"
    body = {"transaction_id": row.transaction_id, "note": "by its meter"}
    assert list(errors(program.post(path, body | {"transaction_id": 2**31 - 1}, status=400))) == ["#/transaction_id"]
    shown = program.post(path, body)
    assert (shown["state"], shown["transaction_id"], shown["resolved_by"]) == (
        "adopted", row.transaction_id, "api:billing",
    )  # fmt: skip
    assert program.get(f"transactions/{row.transaction_id}/")["meter_stop"] == 6000
    assert program.post(path, body, status=409)["type"].endswith(":resolved-already")
    assert program.post(f"orphans/{message.pk}/dismiss/", {"note": "x"}, status=409)["status"] == 409


def test_orphan_of_another_station_does_not_fit(program):
    body = {"transaction_id": make().transaction_id, "note": "x"}
    assert program.post(f"orphans/{orphan().pk}/adopt/", body, status=409)["type"].endswith(":does-not-fit")


def test_orphans_filtered_and_dismissed(program):
    first, second = orphan(make_station("A")), orphan(make_station("B"))
    program.post(f"orphans/{first.pk}/dismiss/", {"note": "a test"})
    assert program.ids("orphans/", "id", state="dismissed") == [first.pk]
    assert program.ids("orphans/", "id", station="b") == [second.pk]
    assert program.ids("orphans/", "id", until="2026-03-01T13:00:00Z") == []
    assert sorted(program.ids("orphans/", "id", since="2026-03-01T13:00:00Z", page_size=1)) == [first.pk, second.pk]
    program.post("orphans/0/dismiss/", {"note": "x"}, status=404)


def test_lists_run_as_many_queries_for_1_as_for_20(program):
    assert queries_grow(program, "transactions/", make) == 0
    assert queries_grow(program, "orphans/", lambda number: orphan()) == 0
