"""Id tags in the back office: the list, forms, actions, groups and the inbox of unknown tags."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from id_tags.models import IdTag, IdTagGroup, UnknownIdTag
from id_tags.services.unknown_tags import note_unknown_id_tag
from id_tags.signals import id_tags_changed
from tests.support.back_office import messages, page, queries_grow, staff, table_rows
from tests.support.factories import make_id_tag, make_station, start

pytestmark = pytest.mark.django_db
TAGS = "/admin/id_tags/idtag/"
GROUPS = "/admin/id_tags/idtaggroup/"
UNKNOWN = "/admin/id_tags/unknownidtag/"


@pytest.fixture
def changes():
    """The folded tags that id_tags_changed was sent for."""
    seen = []

    def note(sender, folded, **kwargs):
        seen.extend(folded)

    id_tags_changed.connect(note)
    yield seen
    id_tags_changed.disconnect(note)


def make_group(name: str = "Fleet", **fields) -> IdTagGroup:
    return IdTagGroup.objects.create(parent_id_tag=name, **fields)


def make_unknown(tag: str = "NEW") -> UnknownIdTag:
    note_unknown_id_tag(id_tag=tag, station_id=make_station().pk, now=timezone.now())
    return UnknownIdTag.objects.get(id_tag=tag)


# The list


def test_changelist_runs_as_many_queries_for_2_rows_as_for_20(admin_client):
    def make(number: int) -> None:
        tag = make_id_tag(group=make_group(f"G{number}"))
        start(make_station(), id_tag=tag.id_tag)

    assert queries_grow(admin_client, TAGS, make) == 0


def test_changelist_tells_what_a_tag_is_like(admin_client):
    make_id_tag("A", group=make_group(max_active_transactions=5), note="van")
    make_id_tag("B", max_active_transactions=0, expires_at=timezone.now() - timedelta(days=1))
    now = timezone.now()
    start(make_station(), id_tag="a", at=now - timedelta(hours=2), received_at=now)
    rows = [[cells[1], cells[2], *cells[4:]] for cells in table_rows(page(admin_client, TAGS))]
    assert rows == [
        ["A", "Accepted", "Fleet", "group: 5", "1", "2 h ago", "van"],
        ["B", "Expired", "–", "unlimited", "", "", ""],
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("expiry=past", ["OLD"]),
        ("expiry=coming", ["YOUNG"]),
        ("expiry=none", ["PLAIN"]),
        ("status__exact=Blocked", ["OLD"]),
        ("q=fleet", ["YOUNG"]),
        ("q=plain", ["PLAIN"]),
    ],
)
def test_changelist_filters(admin_client, query, found):
    now = timezone.now()
    make_id_tag("OLD", expires_at=now - timedelta(days=1), status="Blocked")
    make_id_tag("YOUNG", expires_at=now + timedelta(days=1), group=make_group())
    make_id_tag("PLAIN")
    assert [cells[1] for cells in table_rows(page(admin_client, f"{TAGS}?{query}"))] == found


def test_changelist_escapes_tags_and_notes(admin_client):
    make_id_tag("<script>x", note="<script>x", group=make_group("<script>x"))
    assert page(admin_client, TAGS).count("<script>x") == 0


# Forms


def test_add_stores_a_tag_and_takes_it_out_of_the_inbox(admin_client, changes, django_capture_on_commit_callbacks):
    make_unknown("new")
    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post(f"{TAGS}add/", {"id_tag": "NEW", "status": "Accepted"})
    tag = IdTag.objects.get()
    assert (tag.id_tag, tag.id_tag_folded, changes, UnknownIdTag.objects.count()) == ("NEW", "new", ["new"], 0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("same", "There is such a tag already (its case does not matter)."),
        ("ß" * 200, "The tag is too long."),
    ],
)
def test_add_refuses_a_tag(admin_client, text, problem):
    make_id_tag("SAME")
    answer = admin_client.post(f"{TAGS}add/", {"id_tag": text, "status": "Accepted"}).content.decode()
    assert (answer.count(problem), IdTag.objects.count()) == (1, 1)


def test_change_keeps_the_text_and_tells_the_others(admin_client, changes, django_capture_on_commit_callbacks):
    tag = make_id_tag("A")
    group = make_group()
    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post(f"{TAGS}{tag.pk}/change/", {"id_tag": "B", "status": "Blocked", "group": group.pk})
    tag.refresh_from_db()
    assert (tag.id_tag, tag.status, tag.group, changes) == ("A", "Blocked", group, ["a"])


def test_page_shows_the_latest_transactions(admin_client):
    tag = make_id_tag("A")
    answer = start(make_station("CP"), id_tag="a")
    text = page(admin_client, f"{TAGS}{tag.pk}/change/")
    assert table_rows(text, r"<tbody>\s*<tr><td>.*?</tr>")[0][:3] == [str(answer.transaction_id), "CP", "1"]


def test_delete_of_a_tag_that_has_charged_is_refused_kindly(admin_client):
    tag = make_id_tag("A")
    start(make_station(), id_tag="A")
    admin_client.post(f"{TAGS}{tag.pk}/delete/", {"post": "yes"})
    assert messages(admin_client) == ["The id tag A has history and stays. Block it instead."]
    assert IdTag.objects.count() == 1


def test_delete_of_a_tag_without_history_tells_the_others(admin_client, changes, django_capture_on_commit_callbacks):
    tag = make_id_tag("A")
    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post(f"{TAGS}{tag.pk}/delete/", {"post": "yes"})
    assert (IdTag.objects.count(), changes) == (0, ["a"])


# Actions


@pytest.mark.parametrize(("action", "status"), [("block", "Blocked"), ("unblock", "Accepted"), ("expire", "Expired")])
def test_action_sets_the_status_of_many(admin_client, action, status, changes, django_capture_on_commit_callbacks):
    tags = [make_id_tag(f"T{number}", status="Invalid") for number in range(2)]
    data = {"action": action, "_selected_action": [tag.pk for tag in tags]}
    with django_capture_on_commit_callbacks(execute=True):
        assert admin_client.post(TAGS, data).status_code == 302
    assert list(IdTag.objects.values_list("status", flat=True)) == [status] * 2
    assert (messages(admin_client), changes) == ([f"2 id tags: {status}."], ["t0", "t1"])
    assert LogEntry.objects.filter(change_message=f"Status: {status}.").count() == 2


def test_actions_need_permission():
    tag = make_id_tag()
    viewer = staff("id_tags.view_idtag")
    viewer.post(TAGS, {"action": "block", "_selected_action": [tag.pk]})
    tag.refresh_from_db()
    assert tag.status == "Accepted"
    page(staff(), TAGS, status=403)
    page(viewer, f"{TAGS}add/", status=403)


# Groups


def test_groups_changelist_runs_as_many_queries_for_2_rows_as_for_20(admin_client):
    assert queries_grow(admin_client, GROUPS, lambda number: make_id_tag(group=make_group(f"G{number}"))) == 0


def test_group_saved_tells_of_all_its_tags(admin_client, changes, django_capture_on_commit_callbacks):
    group = make_group()
    make_id_tag("A", group=group)
    make_id_tag("B")
    with django_capture_on_commit_callbacks(execute=True):
        data = {"parent_id_tag": "Fleet", "max_active_transactions": "3"}
        admin_client.post(f"{GROUPS}{group.pk}/change/", data)
    group.refresh_from_db()
    assert (group.max_active_transactions, changes) == (3, ["a"])


def test_group_refuses_a_name_that_differs_in_case_only(admin_client):
    make_group("Fleet")
    answer = admin_client.post(f"{GROUPS}add/", {"parent_id_tag": "FLEET"}).content.decode()
    assert answer.count("There is a group with this id already (its case does not matter).") == 1


def test_group_with_tags_is_not_deleted(admin_client):
    group = make_group()
    make_id_tag(group=group)
    admin_client.post(f"{GROUPS}{group.pk}/delete/", {"post": "yes"})
    assert messages(admin_client) == ["The id tag group Fleet has history and stays. Take its tags out first."]


def test_group_limits_are_worded(admin_client):
    for number, limit in enumerate([None, 0, 4]):
        make_group(f"G{number}", max_active_transactions=limit)
    assert [cells[2] for cells in table_rows(page(admin_client, GROUPS))] == ["each tag its own", "none", "4"]


# Unknown tags


def test_unknown_tags_changelist_runs_as_many_queries_for_2_rows_as_for_20(admin_client):
    assert queries_grow(admin_client, UNKNOWN, lambda number: make_unknown(f"<script>x{number}")) == 0
    assert page(admin_client, UNKNOWN).count("<script>x") == 0


def test_unknown_tag_is_added_by_one_click(admin_client):
    unknown = make_unknown("NEW")
    assert admin_client.post(UNKNOWN, {"row:add": unknown.pk}).status_code == 302
    assert (IdTag.objects.get().status, messages(admin_client)) == ("Accepted", ["Accepted: NEW."])
    assert LogEntry.objects.get().change_message == "Added from the unknown tags."


def test_unknown_tags_are_added_in_bulk(admin_client):
    unknown = [make_unknown(f"T{number}") for number in range(7)]
    data = {"action": "add_tags", "_selected_action": [row.pk for row in unknown]}
    admin_client.post(UNKNOWN, data)
    assert (IdTag.objects.count(), UnknownIdTag.objects.count()) == (7, 0)


def test_unknown_tag_that_is_gone(admin_client):
    admin_client.post(UNKNOWN, {"row:add": "4711"})
    assert messages(admin_client) == ["1 were added or forgotten meanwhile."]


def test_unknown_tags_need_permission_to_add_tags():
    unknown = make_unknown()
    viewer = staff("id_tags.view_unknownidtag")
    assert viewer.post(UNKNOWN, {"row:add": unknown.pk}).status_code == 403
    viewer.post(UNKNOWN, {"action": "add_tags", "_selected_action": [unknown.pk]})
    assert (IdTag.objects.count(), page(viewer, UNKNOWN).count("row:add")) == (0, 0)
    assert page(viewer, f"{UNKNOWN}{unknown.pk}/change/").count("NEW") > 0
