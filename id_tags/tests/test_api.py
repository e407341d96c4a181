"""Id tags, groups and unknown tags in the API."""

from datetime import timedelta

import pytest
from django.utils import timezone

from id_tags.models import IdTag, IdTagGroup, UnknownIdTag
from id_tags.services.unknown_tags import note_unknown_id_tag
from tests.support.api import Program, errors, name, queries_grow
from tests.support.factories import NOON, make_id_tag, make_station, start

pytestmark = pytest.mark.django_db


@pytest.fixture
def program() -> Program:
    return Program()


def test_tag_is_created_with_its_group(program):
    response = program.send("post", "id-tags/", {"id_tag": "Ta/g", "parent_id_tag": "Fleet", "expires_at": None})
    assert (response.status_code, response["Location"]) == (201, "/api/v1/id-tags/Ta%2Fg/")
    shown = response.json()
    assert (shown["id_tag"], shown["status"], shown["parent_id_tag"]) == ("Ta/g", "Accepted", "Fleet")
    assert IdTag.objects.get().group == IdTagGroup.objects.get()


def test_creating_an_unknown_tag_takes_it_out_of_the_unknown_ones(program):
    note_unknown_id_tag(id_tag="tag", station_id=make_station().pk, now=NOON)
    assert program.ids("unknown-id-tags/", "id_tag") == ["tag"]
    program.post("id-tags/", {"id_tag": "TAG"}, status=201)
    assert UnknownIdTag.objects.count() == 0


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/id_tag"),
        ({"id_tag": "  "}, "#/id_tag"),
        ({"id_tag": "x" * 256}, "#/id_tag"),
        ({"id_tag": "ß" * 200}, "#/id_tag"),
        ({"id_tag": "a\u0000"}, "#/id_tag"),
        ({"id_tag": "T", "status": "ConcurrentTx"}, "#/status"),
        ({"id_tag": "T", "expires_at": "2026-03-01T12:00:00"}, "#/expires_at"),
        ({"id_tag": "T", "expires_at": 5}, "#/expires_at"),
        ({"id_tag": "T", "max_active_transactions": -1}, "#/max_active_transactions"),
        ({"id_tag": "T", "max_active_transactions": True}, "#/max_active_transactions"),
        ({"id_tag": "T", "created_at": "2026-03-01T12:00:00Z"}, "#/created_at"),
    ],
)
def test_tag_that_cannot_be(program, body, pointer):
    assert list(errors(program.post("id-tags/", body, status=400))) == [pointer]
    assert IdTag.objects.count() == 0


def test_tag_is_found_and_changed_whatever_its_case(program):
    make_id_tag("TAG", note="kept")
    shown = program.patch("id-tags/tag/", {"status": "Blocked", "expires_at": "2026-03-01T13:00:00+01:00"})
    assert (shown["id_tag"], shown["status"], shown["expires_at"], shown["note"]) == (
        "TAG", "Blocked", "2026-03-01T12:00:00Z", "kept",
    )  # fmt: skip
    assert program.patch("id-tags/tag/", {"parent_id_tag": "G"})["parent_id_tag"] == "G"
    assert program.patch("id-tags/tag/", {"parent_id_tag": None})["parent_id_tag"] is None
    assert program.patch("id-tags/tag/", {})["status"] == "Blocked"
    assert list(errors(program.patch("id-tags/tag/", {"id_tag": "X"}, status=400))) == ["#/id_tag"]
    assert program.patch("id-tags/none/", {}, status=404)["detail"] == "There is no such id tag."


@pytest.mark.parametrize("tag", ["a b", "100%", "%2F", "?", "#", "Ä"])
def test_tag_is_found_by_its_percent_encoded_text(program, tag):
    make_id_tag(tag)
    assert program.get(f"id-tags/{name(tag)}/")["id_tag"] == tag


def test_tag_that_charged_stays(program):
    make_id_tag("TAG")
    program.post("id-tags/", {"id_tag": "NEVER"}, status=201)
    start(make_station())
    assert program.delete("id-tags/TAG/", status=409)["type"] == "urn:evcharging:problem:has-history"
    assert program.delete("id-tags/never/") is None
    assert program.ids("id-tags/", "id_tag") == ["TAG"]


def test_group_of_tags_stays(program):
    program.post("id-tag-groups/", {"parent_id_tag": "G", "max_active_transactions": 2}, status=201)
    assert program.post("id-tag-groups/", {"parent_id_tag": "g"}, status=409)["type"].endswith(":exists")
    program.post("id-tags/", {"id_tag": "T", "parent_id_tag": "g"}, status=201)
    assert program.get("id-tags/T/")["parent_id_tag"] == "G"
    assert program.patch("id-tag-groups/g/", {"note": "x"})["max_active_transactions"] == 2
    assert program.delete("id-tag-groups/G/", status=409)["type"].endswith(":has-history")
    program.delete("id-tags/T/")
    program.delete("id-tag-groups/G/")
    program.get("id-tag-groups/G/", status=404)


def test_tags_filtered(program):
    group = IdTagGroup.objects.create(parent_id_tag="Fleet")
    make_id_tag("A1", group=group, expires_at=NOON)
    make_id_tag("A2", status="Blocked", note="of Anna")
    assert program.ids("id-tags/", "id_tag", status="Blocked") == ["A2"]
    assert program.ids("id-tags/", "id_tag", parent_id_tag="fleet") == ["A1"]
    assert program.ids("id-tags/", "id_tag", expires_before="2026-03-01T12:00:01Z") == ["A1"]
    assert program.ids("id-tags/", "id_tag", expires_before="2026-03-01T12:00:00Z") == []
    assert program.ids("id-tags/", "id_tag", search="a") == ["A1", "A2"]
    assert program.ids("id-tags/", "id_tag", search="anna") == ["A2"]
    assert program.ids("id-tags/", "id_tag", search="%") == []


@pytest.mark.parametrize("ordering", ["id_tag", "-id_tag", "created_at", "-created_at"])
def test_pages_hold_every_tag_once(program, ordering):
    tags = [f"T{number:02d}" for number in range(11)]
    for tag in tags:
        make_id_tag(tag)
    IdTag.objects.update(created_at=NOON)  # all at the same instant: only the tie-breaker tells them apart
    found = program.ids("id-tags/", "id_tag", ordering=ordering, page_size=3)
    assert found == (tags[::-1] if ordering.startswith("-") else tags)


def test_rows_inserted_between_pages_move_no_other(program):
    for tag in ("B", "D", "F", "H"):
        make_id_tag(tag)
    page = program.get("id-tags/", page_size=2)
    make_id_tag("A")
    make_id_tag("E")
    IdTag.objects.get(id_tag="D").delete()
    rest = program.client.get(page["next"]).json()
    assert [row["id_tag"] for row in page["results"] + rest["results"]] == ["B", "D", "E", "F"]


def test_cursor_is_of_its_order(program):
    for tag in ("A", "B"):
        make_id_tag(tag)
    cursor = program.get("id-tags/", page_size=1)["next"].partition("cursor=")[2].partition("&")[0]
    problem = program.get(f"id-tags/?cursor={cursor}&ordering=-id_tag", status=400)
    assert errors(problem) == {"cursor": "Of a list in another order."}


def test_unknown_tags_by_time_and_station(program):
    for hours, identity in ((1, "A"), (3, "B")):
        at = timezone.now() - timedelta(hours=hours)
        note_unknown_id_tag(id_tag=f"X{hours}", station_id=make_station(identity).pk, now=at)
    since = (timezone.now() - timedelta(hours=2)).isoformat()
    assert program.ids("unknown-id-tags/", "id_tag") == ["X1", "X3"]
    assert program.ids("unknown-id-tags/", "id_tag", since=since) == ["X1"]
    assert program.ids("unknown-id-tags/", "id_tag", station="b") == ["X3"]


def test_lists_run_as_many_queries_for_1_as_for_20(program):
    def tag(number: int) -> None:
        make_id_tag(f"T{number}", group=IdTagGroup.objects.create(parent_id_tag=f"G{number}"))

    def unknown(number: int) -> None:
        note_unknown_id_tag(id_tag=f"X{number}", station_id=make_station().pk, now=NOON)

    assert queries_grow(program, "id-tags/", tag) == 0
    assert queries_grow(program, "unknown-id-tags/", unknown) == 0
