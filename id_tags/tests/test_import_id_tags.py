"""manage.py import_id_tags: tags and their groups; what the imports share is tested with stations."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from openpyxl import Workbook

from id_tags.import_table import MAX_LENGTH
from id_tags.models import IdTag, IdTagGroup, UnknownIdTag
from id_tags.selectors import authorize
from id_tags.services.unknown_tags import note_unknown_id_tag
from tests.support.factories import NOON, make_id_tag, make_station

pytestmark = pytest.mark.django_db
HEADER = "id_tag,status,expires_at,parent_id_tag,max_active_transactions,note\n"


def run(path: Path, *options: str) -> str:
    """Import and return what is said on stdout."""
    out = StringIO()
    call_command("import_id_tags", str(path), *options, stdout=out, stderr=StringIO())
    return out.getvalue().replace(f"{path}: ", "").strip()


def refusal(path: Path, *options: str) -> list[str]:
    """Import a file that does not go in as a whole and return the lines of stderr, the error last."""
    err = StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("import_id_tags", str(path), *options, stdout=StringIO(), stderr=err)
    return [*err.getvalue().splitlines(), str(caught.value).replace(f"{path}: ", "")]


def tags() -> list[tuple[Any, ...]]:
    fields = ("id_tag", "status", "expires_at", "group__parent_id_tag", "max_active_transactions", "note")
    return list(IdTag.objects.order_by("id_tag_folded").values_list(*fields))


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], Path]:
    def write(content: str) -> Path:
        path = tmp_path / "tags.csv"
        path.write_text(content)
        return path

    return write


def test_csv_creates_updates_and_leaves_tags(file):
    make_id_tag("OLD", status="Blocked", note="lost", max_active_transactions=3)
    make_id_tag("same", note="x")
    path = file(
        HEADER + 'new,blocked,2026-12-31T23:59:59+02:00,Fleet,0,"two\nlines"\nold,,,fleet,,\nsame,Accepted,,,,x\n'
    )
    assert run(path) == "1 created, 1 updated, 1 unchanged, 0 failed"
    assert tags() == [
        ("new", "Blocked", datetime(2026, 12, 31, 21, 59, 59, tzinfo=UTC), "Fleet", 0, "two\nlines"),
        ("OLD", "Accepted", None, "Fleet", None, ""),
        ("same", "Accepted", None, None, None, "x"),
    ]
    assert run(path) == "0 created, 0 updated, 3 unchanged, 0 failed"


def test_column_that_is_not_there_changes_nothing(file):
    group = IdTagGroup.objects.create(parent_id_tag="Fleet")
    make_id_tag("a", status="Blocked", expires_at=NOON, group=group, max_active_transactions=2, note="old")
    assert run(file("id_tag\na\n")) == "0 created, 0 updated, 1 unchanged, 0 failed"
    run(file("id_tag,note\nA,new\n"))
    assert tags() == [("a", "Blocked", NOON, "Fleet", 2, "new")]
    run(file("id_tag,parent_id_tag\na,\n"))
    assert tags() == [("a", "Blocked", NOON, None, 2, "new")]


def test_group_keeps_its_limit_and_spelling(file):
    IdTagGroup.objects.create(parent_id_tag="Fleet", max_active_transactions=5)
    run(file("id_tag,parent_id_tag\na,FLEET\nb,other\nc,Other\n"))
    assert list(IdTagGroup.objects.order_by("pk").values_list("parent_id_tag", "max_active_transactions")) == [
        ("Fleet", 5),
        ("other", None),
    ]
    assert [tag[3] for tag in tags()] == ["Fleet", "other", "other"]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (",Accepted,,,,", "id_tag: it is empty"),
        ("a,ConcurrentTx,,,,", "status: 'ConcurrentTx' is none of Accepted, Blocked, Expired, Invalid"),
        ("a,,31.12.2026,,,", "expires_at: '31.12.2026' is not a time like 2026-12-31T23:59:59Z"),
        ("a,,2026-02-30,,,", "expires_at: '2026-02-30' is not a time like 2026-12-31T23:59:59Z"),
        (
            "a,,9999-12-31T23:59:59-01:00,,,",
            "expires_at: '9999-12-31T23:59:59-01:00' is not a time like 2026-12-31T23:59:59Z",
        ),
        ("a,,,,-1,", "max_active_transactions: '-1' is no whole number from 0 to 2147483647"),
        ("a,,,,1.5,", "max_active_transactions: '1.5' is no whole number from 0 to 2147483647"),
        ("a,,,,2147483648,", "max_active_transactions: '2147483648' is no whole number from 0 to 2147483647"),
        ("a,,,,²,", "max_active_transactions: '²' is no whole number from 0 to 2147483647"),
        (f"{'a' * 256},,,,,", "id_tag: 256 characters, at most 255 are allowed"),
        (f"{'ß' * 128},,,,,", "id_tag: 256 characters, at most 255 are allowed"),
        (f"a,,,{'p' * 256},,", "parent_id_tag: 256 characters, at most 255 are allowed"),
        ("a,,,,,n\0", "note: contains a NUL character"),
        ("STRASSE,,,,,", "duplicate of line 2"),
    ],
)
def test_bad_row_is_named_and_nothing_is_imported(file, row, problem):
    path = file(f"{HEADER}Straße,,,,,\n{row}\n")
    assert refusal(path) == [
        f"line 3: {problem}",
        "1 bad row, nothing was imported (--skip-bad imports the good rows)",
    ]
    assert tags() == []
    assert refusal(path, "--skip-bad")[-1] == "1 of 2 rows are not imported"
    assert [tag[0] for tag in tags()] == ["Straße"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-31", datetime(2026, 12, 31, tzinfo=UTC)),
        ("2026-12-31 18:30", datetime(2026, 12, 31, 18, 30, tzinfo=UTC)),
        ("2026-12-31T18:30:00.5Z", datetime(2026, 12, 31, 18, 30, 0, 500_000, tzinfo=UTC)),
        ("2026-12-31T18:30:00-05:30", datetime(2027, 1, 1, 0, 0, tzinfo=UTC)),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(file, text, expected):
    run(file(f"id_tag,expires_at\na,{text}\n"))
    assert IdTag.objects.get().expires_at == expected


def test_xlsx_dates_and_numbers_are_read(tmp_path):
    book = Workbook()
    cells: Any = book.active
    cells.append(["id_tag", "expires_at", "max_active_transactions", "note"])
    naive = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC).replace(tzinfo=None)  # a spreadsheet knows no other
    cells.append([4012345678, naive, 2.0, 1.5])
    cells.append(["04AB", date(2027, 1, 1), None, None])
    cells.append(["text", "2027-01-02T00:00:00Z", "3", "x"])
    path = tmp_path / "tags.xlsx"
    book.save(path)
    assert run(path) == "3 created, 0 updated, 0 unchanged, 0 failed"
    assert tags() == [
        ("04AB", "Accepted", datetime(2027, 1, 1, tzinfo=UTC), None, None, ""),
        ("4012345678", "Accepted", datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), None, 2, "1.5"),
        ("text", "Accepted", datetime(2027, 1, 2, tzinfo=UTC), None, 3, "x"),
    ]


def test_imported_tag_leaves_the_inbox_of_unknown_ones(file):
    station = make_station()
    for id_tag in ("Known", "other"):
        note_unknown_id_tag(id_tag=id_tag, station_id=station.pk, now=NOON)
    run(file("id_tag\nKNOWN\n"))
    assert [unknown.id_tag for unknown in UnknownIdTag.objects.all()] == ["other"]


def test_changed_tag_is_forgotten_by_the_cache(file, django_capture_on_commit_callbacks):
    make_id_tag("a")
    assert authorize(id_tag="a", now=NOON).status == "Accepted"
    with django_capture_on_commit_callbacks(execute=True):
        run(file("id_tag,status\na,Blocked\n"))
    assert authorize(id_tag="a", now=NOON).status == "Blocked"


def test_dry_run_changes_nothing(file, django_capture_on_commit_callbacks):
    make_id_tag("a")
    with django_capture_on_commit_callbacks() as callbacks:
        assert run(file("id_tag,status,parent_id_tag\na,Blocked,Fleet\nb,,\n"), "--dry-run") == (
            "1 created, 1 updated, 0 unchanged, 0 failed (dry run: nothing was changed)"
        )
    assert tags() == [("a", "Accepted", None, None, None, "")]
    assert IdTagGroup.objects.count() == 0
    assert callbacks == []


def test_length_is_that_of_the_table():
    assert {IdTag._meta.get_field("id_tag").max_length, IdTagGroup._meta.get_field("parent_id_tag").max_length} == {
        MAX_LENGTH
    }
