"""Import and export of id tags in the back office; what a file may hold is tested with `import_id_tags`."""

import os
import re
from io import BytesIO, StringIO
from pathlib import Path
from tempfile import gettempdir

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from openpyxl import Workbook, load_workbook

from id_tags.models import IdTag, IdTagGroup, UnknownIdTag
from id_tags.services.unknown_tags import note_unknown_id_tag
from id_tags.signals import id_tags_changed
from tests.support.back_office import messages, page, staff
from tests.support.factories import NOON, make_id_tag, make_station

pytestmark = pytest.mark.django_db
TAGS = "/admin/id_tags/idtag/"
HEADER = "id_tag,status,expires_at,parent_id_tag,max_active_transactions,note\n"


def preview(client: Client, content: str | bytes, name: str = "tags.csv") -> str:
    """Upload a file and return the page that shows what would happen."""
    data = content.encode() if isinstance(content, str) else content
    response = client.post(f"{TAGS}import/", {"import_file": SimpleUploadedFile(name, data), "format": "0"})
    return response.content.decode()


def confirm(client: Client, shown: str) -> int:
    """Press the preview's button; return the status."""
    hidden = dict(re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)"', shown))
    return client.post(f"{TAGS}process_import/", hidden).status_code


def tags() -> list[tuple]:
    fields = ("id_tag", "status", "expires_at", "group__parent_id_tag", "max_active_transactions", "note")
    return list(IdTag.objects.order_by("id_tag_folded").values_list(*fields))


def problems(shown: str) -> list[str]:
    found = re.findall(r"<li>(Line .*?)</li>|<span>\s*(Line .*?)\s*</span>", shown, re.S)
    return [" ".join("".join(each).split()) for each in found]


def kinds(shown: str) -> list[str]:
    """What would become of each row."""
    return re.findall(r">\s*(New|Update|Skipped|Delete)\s*</span>", shown)


def test_preview_shows_what_would_happen_and_changes_nothing(admin_client):
    make_id_tag("OLD", note="lost")
    make_id_tag("same")
    shown = preview(admin_client, HEADER + "new,blocked,2027-01-31,Fleet,0,<script>x\nold,,,,,\nSAME,Accepted,,,,\n")
    assert (kinds(shown), shown.count("<script>x")) == (["New", "Update", "Skipped"], 0)
    assert [row[0] for row in tags()] == ["OLD", "same"]
    assert IdTagGroup.objects.count() == 0


def test_confirmed_import_is_what_the_command_would_have_done(admin_client, tmp_path):
    content = HEADER + "new,blocked,2027-01-31,Fleet,0,x\nold,,,fleet,,\nSAME,Accepted,,,,\n"
    make_id_tag("OLD", status="Blocked", note="lost")
    make_id_tag("same")
    assert confirm(admin_client, preview(admin_client, content)) == 302
    imported = tags()
    assert messages(admin_client) == ["Import finished: 1 new, 1 updated, 0 deleted and 1 skipped id tags."]
    path = tmp_path / "tags.csv"
    path.write_text(content)
    out = StringIO()
    call_command("import_id_tags", str(path), stdout=out, stderr=StringIO())
    assert (out.getvalue().strip().endswith("0 created, 0 updated, 3 unchanged, 0 failed"), tags()) == (True, imported)


def test_confirmed_import_tells_the_others_and_empties_the_inbox(admin_client, django_capture_on_commit_callbacks):
    note_unknown_id_tag(id_tag="NEW", station_id=make_station().pk, now=NOON)
    seen = []

    def note(sender, folded, **kwargs):
        seen.extend(folded)

    id_tags_changed.connect(note)
    with django_capture_on_commit_callbacks(execute=True):
        confirm(admin_client, preview(admin_client, HEADER + "new,,,,,\n"))
    id_tags_changed.disconnect(note)
    assert (seen, UnknownIdTag.objects.count()) == (["new"], 0)


def test_import_leaves_what_it_has_no_column_for(admin_client):
    make_id_tag("A", status="Blocked", note="kept", max_active_transactions=4)
    confirm(admin_client, preview(admin_client, "id_tag,status\na,Accepted\n"))
    assert tags() == [("A", "Accepted", None, None, 4, "kept")]


def test_import_reads_excel_files(admin_client):
    book = Workbook()
    book.active.append(["ID Tag", "Note"])
    book.active.append([1234, "number"])
    book.active.append(["00AB", "text"])
    file = BytesIO()
    book.save(file)
    confirm(admin_client, preview(admin_client, file.getvalue(), "tags.xlsx"))
    assert [(row[0], row[5]) for row in tags()] == [("00AB", "text"), ("1234", "number")]


def test_import_reads_semicolons(admin_client):
    confirm(admin_client, preview(admin_client, "id_tag;note\nA;x,y\n"))
    assert [(row[0], row[5]) for row in tags()] == [("A", "x,y")]


def test_bad_rows_are_shown_with_their_lines_and_nothing_can_be_confirmed(admin_client):
    content = HEADER + "A,Nonsense,,,,\nB,,,,,\nb,,,,,\n,Accepted,,,,\nC,,yesterday,,,\nD,,,,-1,\n"
    shown = preview(admin_client, content)
    assert problems(shown) == [
        "Line 2: status: &#x27;Nonsense&#x27; is none of Accepted, Blocked, Expired, Invalid",
        "Line 4: duplicate of line 3",
        "Line 5: id_tag: it is empty",
        "Line 6: expires_at: &#x27;yesterday&#x27; is not a time like 2026-12-31T23:59:59Z",
        "Line 7: max_active_transactions: &#x27;-1&#x27; is no whole number from 0 to 2147483647",
    ]
    assert (shown.count("Confirm import"), tags()) == (0, [])


def test_bad_rows_that_are_confirmed_all_the_same_import_nothing(admin_client):
    hidden = preview(admin_client, HEADER + "A,,,,,\n")
    name = dict(re.findall(r'name="(import_file_name)" value="([^"]*)"', hidden))["import_file_name"]
    with (Path(gettempdir()) / Path(name).name).open("a") as file:
        file.write("B,Nonsense,,,,\n")
    confirm(admin_client, hidden)
    assert (tags(), messages(admin_client)) == ([], ["Nothing was imported: look at the preview again."])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "The submitted file is empty."),
        ("name\nx\n", "line 1 is no header; a header has some of the columns"),
        ("id_tag,colour\nx,red\n", "line 1: unknown column"),
        ("status\nAccepted\n", "line 1: missing column id_tag"),
        ("PK\x03\x04nonsense", "not an Excel file that can be read"),
        (b"\xd0\xcf\x11\xe0old", "an old or encrypted Excel file"),
    ],
)
def test_files_that_are_no_table_are_refused_in_words(admin_client, content, problem):
    shown = preview(admin_client, content)
    assert (shown.count(problem), shown.count("Confirm import")) == (1, 0)


def test_preview_that_has_expired(admin_client):
    shown = preview(admin_client, HEADER + "A,,,,,\n")
    confirm(admin_client, shown)
    assert confirm(admin_client, shown) == 302
    assert messages(admin_client)[-1] == "Nothing was imported: the preview has expired."


def test_import_reads_no_file_but_uploads(admin_client, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "secret.csv").write_text(HEADER + "A,,,,,\n")
    data = {"import_file_name": "secret.csv", "original_file_name": "x", "format": "0", "resource": ""}
    admin_client.post(f"{TAGS}process_import/", data)
    assert (tags(), messages(admin_client)) == ([], ["Nothing was imported: the preview has expired."])


def test_uploads_that_nobody_confirmed_are_forgotten(admin_client, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    preview(admin_client, HEADER + "A,,,,,\n")
    (first,) = tmp_path.iterdir()
    os.utime(first, (0, 0))
    preview(admin_client, HEADER + "A,,,,,\n")
    assert (first.exists(), len(list(tmp_path.iterdir()))) == (False, 1)


def test_import_needs_permission_to_add_and_to_change():
    for permission in ("view", "add", "change"):
        client = staff(f"id_tags.{permission}_idtag", "id_tags.view_idtag")
        page(client, f"{TAGS}import/", status=403)
        assert client.post(f"{TAGS}process_import/", {}).status_code == 403
        assert page(client, TAGS).count(f"{TAGS}import/") == 0
    page(staff("id_tags.add_idtag", "id_tags.change_idtag"), f"{TAGS}import/")


def test_export_needs_permission():
    page(staff("id_tags.add_idtag"), f"{TAGS}export/", status=403)


def test_export_to_csv_comes_back_as_it_was(admin_client):
    group = IdTagGroup.objects.create(parent_id_tag="Fleet")
    make_id_tag("=1+1", note="-x", group=group, expires_at=NOON, max_active_transactions=0)
    make_id_tag("007", status="Blocked")
    before = tags()
    content = admin_client.post(f"{TAGS}export/", {"format": "0", "resource": "0"}).content.decode()
    assert content.splitlines() == [
        "id_tag,status,expires_at,parent_id_tag,max_active_transactions,note",
        "007,Blocked,,,,",
        "'=1+1,Accepted,2026-03-01T12:00:00Z,Fleet,0,'-x",
    ]
    IdTag.objects.all().delete()
    confirm(admin_client, preview(admin_client, content))
    assert tags() == before


def test_export_to_excel_writes_text_and_no_formulas(admin_client):
    make_id_tag("=1+1", note="a\x07b")
    make_id_tag("007")
    content = admin_client.post(f"{TAGS}export/", {"format": "1", "resource": "0"}).content
    rows = list(load_workbook(BytesIO(content)).active.iter_rows(min_row=2))
    assert [(row[0].value, row[0].data_type, row[0].number_format) for row in rows] == [
        ("007", "s", "@"),
        ("=1+1", "s", "@"),
    ]
    assert rows[1][5].value == "a\N{REPLACEMENT CHARACTER}b"


def test_export_exports_what_the_list_shows(admin_client):
    make_id_tag("A", status="Blocked")
    make_id_tag("B")
    data = {"format": "0", "resource": "0"}
    content = admin_client.post(f"{TAGS}export/?status__exact=Blocked", data).content.decode()
    assert [line.split(",")[0] for line in content.splitlines()] == ["id_tag", "A"]
