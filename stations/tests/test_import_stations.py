"""manage.py import_stations: what people's files hold, all of it or nothing."""

import csv
from collections.abc import Callable
from datetime import date
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from openpyxl import Workbook

from stations.import_table import MAX_LENGTHS
from stations.models import Station
from stations.passwords import verify_password
from stations.signals import station_changed
from tests.support.factories import NOON, make_station

pytestmark = pytest.mark.django_db
KEY = "0123456789abcdef0123456789abcdef"


def run(path: Path, *options: str) -> str:
    """Import and return what is said on stdout."""
    out = StringIO()
    call_command("import_stations", str(path), *options, stdout=out, stderr=StringIO())
    return out.getvalue().replace(f"{path}: ", "").strip()


def refusal(path: Path, *options: str) -> list[str]:
    """Import a file that does not go in as a whole and return the lines of stderr, the error last."""
    err = StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("import_stations", str(path), *options, stdout=StringIO(), stderr=err)
    assert caught.value.returncode == 1
    return [*err.getvalue().splitlines(), str(caught.value).replace(f"{path}: ", "")]


def stations() -> list[tuple[str, str, str]]:
    return list(Station.objects.order_by("identity").values_list("identity", "name", "registration_status"))


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str | bytes], Path]:
    def write(content: str | bytes) -> Path:
        path = tmp_path / "stations.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def sheet(tmp_path: Path) -> Callable[..., Path]:
    def write(*rows: list[Any], change: Callable[[Any], None] | None = None) -> Path:
        book = Workbook()
        cells: Any = book.active
        for row in rows:
            cells.append(row)
        if change is not None:
            change(cells)
        path = tmp_path / "stations.xlsx"
        book.save(path)
        return path

    return write


def test_csv_creates_updates_and_leaves_stations(file):
    make_station("old", name="Old", registration_status="Pending")
    make_station("same", name="Same")
    path = file("identity,name,registration_status\nOLD,New,accepted\nsame,Same,\nnew,,REJECTED\n")
    assert run(path) == "1 created, 1 updated, 1 unchanged, 0 failed"
    assert stations() == [("new", "", "Rejected"), ("old", "New", "Accepted"), ("same", "Same", "Accepted")]
    assert run(path) == "0 created, 0 updated, 3 unchanged, 0 failed"


def test_accepted_station_may_send_transactions_from_now_on(file):
    make_station("old", registration_status="Pending", first_accepted_at=None)
    run(file("identity\nnew\nold\n"))
    run(file("identity,registration_status\nold,\n"))
    assert [station.was_ever_accepted for station in Station.objects.all()] == [True, True]


def test_column_that_is_not_there_changes_nothing(file):
    make_station("a", name="Kept", registration_status="Rejected")
    assert run(file("identity\na\n")) == "0 created, 0 updated, 1 unchanged, 0 failed"
    assert stations() == [("a", "Kept", "Rejected")]


def test_header_may_have_any_order_case_and_blanks(file):
    run(file('"Registration Status", NAME ,Identity\nPending,Name,a\n'))
    assert stations() == [("a", "Name", "Pending")]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("identity,colour\na,red\n", "line 1: unknown column 'colour'; columns are identity, name, "),
        ("name,registration_status\na,\n", "line 1: missing column identity"),
        ("identity,name,Name\na,b,c\n", "line 1: duplicate column name"),
        ("identity,,name\na,b,c\n", "line 1: unknown column without a name; columns are identity, "),
        ("\n\nCP1,Hall,Accepted,topsecrettopsecret\n", "line 3 is no header; a header has some of the columns "),
        ("", "the file is empty"),
        ("\n \n", "the file is empty"),
        ('identity,name\na,"no end\n', "cannot be read from line 2 on: unexpected end of data"),
        (b"\xff\xfea", "the file has the byte order mark of UTF-16 and cannot be decoded"),
        (b"PK\x03\x04 but no zip", "not an Excel file that can be read (File is not a zip file)"),
        (b"\xd0\xcf\x11\xe0", "an old or encrypted Excel file; save it as .xlsx without a password, or as CSV"),
    ],
)
def test_table_that_cannot_be_read_is_refused_in_one_line(file, content, problem):
    (said,) = refusal(file(content))
    assert said.startswith(problem)
    assert "topsecret" not in said
    assert stations() == []


def test_missing_file_and_folder_are_one_clear_line(tmp_path):
    assert refusal(tmp_path / "none.csv") == ["No such file or directory"]
    assert refusal(tmp_path) == ["Is a directory"]


BAD_ROWS = [
    (",name,,", "identity: it is empty"),
    ("a,,Accepted?,", "registration_status: 'Accepted?' is none of Accepted, Pending, Rejected"),
    ("a,,,short", "password: a station's password needs 16 bytes or more (or 32-40 hex digits)"),
    (f"a,,,{'x' * 129}", "password: a station's password has at most 128 bytes"),
    (f"{'i' * 256},,,", "identity: 256 characters, at most 255 are allowed"),
    (f"a,{'n' * 201},,", "name: 201 characters, at most 200 are allowed"),
    ("a\0b,,,", "identity: contains a NUL character"),
    ("a\x07b,,,", "identity: it has characters that no charger can have in its URL"),
    ("a,,,,more", "5 cells for 4 columns"),
    ("GOOD,,,", "duplicate of line 2"),
]


@pytest.mark.parametrize(("row", "problem"), BAD_ROWS)
def test_bad_row_is_named_and_nothing_is_imported(file, row, problem):
    path = file(f"identity,name,registration_status,password\ngood,,,\n{row}\n")
    assert refusal(path) == [
        f"line 3: {problem}",
        "1 bad row, nothing was imported (--skip-bad imports the good rows)",
    ]
    assert stations() == []


def test_skip_bad_imports_the_others_and_still_fails(file):
    rows = "\n".join(row for row, _ in BAD_ROWS)
    path = file(f"identity,name,registration_status,password\ngood,,,\n{rows}\nbetter,,,\n")
    said = refusal(path, "--skip-bad")
    assert said[:-1] == [f"line {line}: {problem}" for line, (_, problem) in enumerate(BAD_ROWS, 3)]
    assert said[-1] == "10 of 12 rows are not imported"
    assert [identity for identity, *_ in stations()] == ["better", "good"]


def test_only_the_first_hundred_bad_rows_are_shown(file):
    said = refusal(file("identity,name\n" + ",x\n" * 120))
    assert said[99:] == [
        "line 101: identity: it is empty",
        "… and 20 more",
        "120 bad rows, nothing was imported (--skip-bad imports the good rows)",
    ]


def test_dry_run_says_what_would_happen_and_changes_nothing(file):
    make_station("a")
    assert run(file("identity,name\na,Name\nb,\n"), "--dry-run") == (
        "1 created, 1 updated, 0 unchanged, 0 failed (dry run: nothing was changed)"
    )
    assert stations() == [("a", "", "Accepted")]


def test_password_is_set_once_and_never_shown(file):
    path = file(f"identity,password\na,{KEY}\nb,\n")
    assert KEY not in run(path)
    stored = Station.objects.get(identity="a").password_hash
    assert verify_password(KEY.encode(), stored)
    assert run(path) == "0 created, 0 updated, 2 unchanged, 0 failed"
    assert Station.objects.get(identity="a").password_hash == stored
    assert run(file(f"identity,password\nA,{KEY[::-1]}\n")) == "0 created, 1 updated, 0 unchanged, 0 failed"
    assert verify_password(KEY[::-1].encode(), Station.objects.get(identity="a").password_hash)
    run(file("identity,password\na,\n"))
    assert Station.objects.get(identity="a").has_password


def test_connected_stations_are_told_of_status_and_password_only(file, django_capture_on_commit_callbacks):
    ids = {name: make_station(name, connected_at=NOON).pk for name in ("renamed", "rejected", "keyed", "same")}
    make_station("offline")
    told = []

    def hear(station_id: int, **kwargs: Any) -> None:
        told.append(station_id)

    station_changed.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            run(
                file(
                    "identity,name,registration_status,password\n"
                    f"renamed,x,,\nrejected,,Rejected,\noffline,,Rejected,\nkeyed,,,{KEY}\nsame,,,\nnew,,,\n"
                )
            )
    finally:
        station_changed.disconnect(hear)
    assert sorted(told) == sorted([ids["rejected"], ids["keyed"]])


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_found_by_the_header(file, delimiter):
    run(file(delimiter.join(["identity", "name"]) + "\n" + delimiter.join(["a", '"one, two; three"']) + "\n"))
    assert stations() == [("a", "one, two; three", "Accepted")]


def test_delimiter_line_of_excel_is_read(file):
    said = refusal(file("sep=;\nidentity;name\na;b\n;c\n"))
    assert said[0] == "line 4: identity: it is empty"


@pytest.mark.parametrize(
    ("encoding", "notice"),
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("utf-16", None),
        ("cp1252", "the file is not UTF-8 and is read as cp1252: check letters like é and ß"),
    ],
)
def test_encoding_is_found(file, encoding, notice):
    path = file("identity;name\r\nCP-1;Zürich „Süd”\r\n".encode(encoding))
    err = StringIO()
    call_command("import_stations", str(path), stdout=StringIO(), stderr=err)
    assert stations() == [("CP-1", "Zürich „Süd”", "Accepted")]
    assert err.getvalue() == ("" if notice is None else f"{path}: {notice}\n")


def test_bytes_that_cp1252_does_not_know_are_read_as_latin_1(file):
    run(file(b"identity,name\na,\x81\xe9\n"))
    assert stations() == [("a", "\x81é", "Accepted")]


def test_lines_are_counted_where_records_begin(file):
    said = refusal(file('identity,name\n\n"a","two\nlines"\r\n,x\n\n"","y\n"\n'))
    assert said[:2] == ["line 5: identity: it is empty", "line 7: identity: it is empty"]


def test_old_mac_line_ends_are_read(file):
    run(file("identity,name\ra,b\rc,d\r"))
    assert stations() == [("a", "b", "Accepted"), ("c", "d", "Accepted")]


def test_empty_and_short_rows_are_fine(file):
    assert run(file("identity,name,registration_status\n,,\n a ,\n\n  ,\nb\n")) == (
        "2 created, 0 updated, 0 unchanged, 0 failed"
    )
    assert stations() == [("a", "", "Accepted"), ("b", "", "Accepted")]


def test_xlsx_is_imported_as_people_read_it(sheet):
    def change(cells: Any) -> None:
        cells["A5"].number_format = "00000"

    path = sheet(
        ["Identity", "Name", None],
        ["00123", "text"],
        [123.0, 7],
        [None, None],
        [45, True],
        change=change,
    )
    assert run(path) == "3 created, 0 updated, 0 unchanged, 0 failed"
    assert stations() == [("00045", "TRUE", "Accepted"), ("00123", "text", "Accepted"), ("123", "7", "Accepted")]


def test_xlsx_cells_that_a_spreadsheet_spoilt_are_refused(sheet):
    path = sheet(
        ["identity", "name"],
        ["=1+1", ""],
        ["#REF!", ""],
        [date(2026, 3, 1), ""],
        [1234567890123456, ""],
        ["a", "b", "beyond"],
        ["ok", "ok"],
    )
    said = refusal(path, "--skip-bad")
    assert said == [
        "line 2: identity: a formula; paste its value",
        "line 3: identity: the spreadsheet shows the error #REF!",
        "line 4: identity: the spreadsheet converted it to a date or time; format the column as text",
        "line 5: identity: spreadsheets round a number of more than 15 digits; format the column as text",
        "line 6: 3 cells for 2 columns",
        "5 of 6 rows are not imported",
    ]
    assert stations() == [("ok", "ok", "Accepted")]


def test_xlsx_of_several_sheets_says_which_is_read(tmp_path):
    book = Workbook()
    cells: Any = book.active
    cells.title = "Fleet"
    cells.append(["identity"])
    cells.append(["a"])
    book.create_sheet("Other").append(["b"])
    path = tmp_path / "many.xlsx"
    book.save(path)
    err = StringIO()
    call_command("import_stations", str(path), stdout=StringIO(), stderr=err)
    assert err.getvalue() == f"{path}: only the first sheet, 'Fleet', is read\n"
    assert stations() == [("a", "", "Accepted")]


def test_xlsx_that_is_cut_is_refused(tmp_path, sheet):
    whole = sheet(["identity"], ["a"]).read_bytes()
    path = tmp_path / "cut.xlsx"
    path.write_bytes(whole[: len(whole) // 2])
    (said,) = refusal(path)
    assert said.startswith("not an Excel file that can be read")


def test_empty_xlsx_is_refused(sheet):
    assert refusal(sheet()) == ["the first sheet is empty"]


def test_file_of_many_batches_is_imported_once(file):
    make_station("CP-1500", name="old")
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(["identity", "name"])
    writer.writerows([f"cp-{number}", f"Station {number}"] for number in range(2500))
    path = file(text.getvalue())
    assert run(path) == "2499 created, 1 updated, 0 unchanged, 0 failed"
    assert Station.objects.count() == 2500
    assert Station.objects.get(identity="CP-1500").name == "Station 1500"


def test_lengths_are_those_of_the_table():
    fields = {field.name: field for field in Station._meta.concrete_fields}
    assert {name: fields[name].max_length for name in MAX_LENGTHS} == MAX_LENGTHS


def test_bad_last_row_leaves_known_stations_as_they_are(file):
    make_station("a", name="old")
    refusal(file("identity,name\na,new\n" + "".join(f"n{number},\n" for number in range(1500)) + ",bad\n"))
    assert stations() == [("a", "old", "Accepted")]


def test_xlsx_written_to_memory_is_the_same_as_csv(tmp_path):
    content = BytesIO()
    book = Workbook(write_only=True)
    book.create_sheet().append(["identity"])
    book.worksheets[0].append(["a"])
    book.save(content)
    path = tmp_path / "stations.csv"  # what it is called says nothing
    path.write_bytes(content.getvalue())
    assert run(path) == "1 created, 0 updated, 0 unchanged, 0 failed"
