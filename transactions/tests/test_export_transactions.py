"""manage.py export_transactions: every row once, as text a spreadsheet can be trusted with."""

import csv
import os
import stat
import subprocess
import sys
from datetime import datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from openpyxl import load_workbook

from evcharging.tables.writers import XlsxWriter
from tests.support.factories import NOON, make_id_tag, make_station, start, stop, transaction_of
from tests.support.live_server import REPOSITORY, LiveServer
from transactions.export import COLUMNS
from transactions.models import Transaction


def export(file: Path, *options: str) -> str:
    """Export and return what is said on stderr."""
    err = StringIO()
    call_command("export_transactions", str(file), *options, stderr=err)
    return err.getvalue().strip()


def rows(file: Path, *options: str) -> list[dict[str, str]]:
    export(file, *options)
    with file.open(newline="") as text:
        return list(csv.DictReader(text))


def ids(file: Path, *options: str) -> list[int]:
    return [int(row["transaction_id"]) for row in rows(file, *options)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "transactions.csv"


@pytest.fixture
def three(db: None) -> list[int]:
    """A stopped one of TAG at CP-A, a refused one at CP-B, an open one of TAG at CP-A; an hour apart."""
    make_id_tag("TAG", max_active_transactions=0)
    first, second = make_station("CP-A"), make_station("CP-B")
    stopped = start(first)
    stop(first, transaction_id=stopped.transaction_id)
    refused = start(second, id_tag="STRANGER", at=NOON + timedelta(hours=1))
    running = start(first, meter_start=6000, at=NOON + timedelta(hours=2))
    return [answer.transaction_id for answer in (stopped, refused, running)]


def test_csv_has_a_row_for_each_transaction_in_order_of_their_starts(three, file):
    assert export(file) == "3 transactions, 2 of them open, 1 with marks"
    found = rows(file)
    assert [int(row["transaction_id"]) for row in found] == three
    assert list(found[0]) == list(COLUMNS)
    del found[0]["transaction_id"]
    assert found[0] == {
        "station": "CP-A",
        "connector_id": "1",
        "id_tag": "TAG",
        "id_tag_status": "Accepted",
        "started_at": "2026-03-01T12:00:00Z",
        "stopped_at": "2026-03-01T12:30:00Z",
        "meter_start": "1000",
        "meter_stop": "6000",
        "energy_wh": "5000",
        "closing": "reported",
        "stop_reason": "Local",
        "stop_id_tag": "",
        "marks": "",
        "estimate_cause": "",
        "estimated_stopped_at": "",
        "estimated_energy_wh": "",
        "reservation_id": "",
        "start_reported_at": "2026-03-01T12:00:00Z",
        "start_received_at": "2026-03-01T12:00:00Z",
        "stop_reported_at": "2026-03-01T12:30:00Z",
        "stop_received_at": "2026-03-01T12:30:00Z",
        "last_message_at": "2026-03-01T12:30:00Z",
    }
    assert (found[1]["id_tag_status"], found[1]["marks"], found[1]["closing"]) == ("Invalid", "refused_tag", "open")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--since=2026-03-01T13:00:00Z"], [1, 2]),
        (["--until=2026-03-01T14:00:00+01:00"], [0]),
        (["--since=2026-03-01T13:00:00Z", "--until=2026-03-01T14:00:00Z"], [1]),
        (["--since=2026-03-02"], []),
        (["--station=cp-a"], [0, 2]),
        (["--station=CP-A", "--station=CP-B"], [0, 1, 2]),
        (["--id-tag=stranger"], [1]),
        (["--closing=reported"], [0]),
        (["--closing=open", "--station=CP-A"], [2]),
        (["--suspicious"], [1]),
        (["--no-suspicious"], [0, 2]),
    ],
)
def test_filters_choose_what_is_exported(three, file, options, expected):
    assert ids(file, *options) == [three[index] for index in expected]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--since=yesterday", "'yesterday' is not a time like 2026-12-31T23:59:59Z"),
        ("--closing=shut", "invalid choice: 'shut'"),
        ("--station=CP-Z", "no station 'CP-Z'"),
    ],
)
def test_filter_that_means_nothing_is_named_and_nothing_is_written(three, file, option, message):
    with pytest.raises(CommandError) as caught:
        export(file, option)
    assert message in str(caught.value)
    assert not file.exists()


DANGEROUS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "#N/A", 'a"b,c', "007", "é\N{GREEK SMALL LETTER ALPHA}"]


@pytest.fixture
def dangerous(db: None) -> None:
    for minute, id_tag in enumerate(DANGEROUS):
        start(make_station(), id_tag=id_tag, at=NOON + timedelta(minutes=minute), meter_start=-5)


def test_csv_has_fractions_of_a_wh_where_there_are_some(three, file):
    Transaction.objects.filter(transaction_id=three[0]).update(
        meter_start=Decimal("1000.125"), meter_stop=Decimal(2**63 - 1), energy_wh=Decimal("9223372036854774806.875")
    )
    (row,) = rows(file, "--closing=reported")
    assert (row["meter_start"], row["meter_stop"], row["energy_wh"]) == (
        "1000.125", "9223372036854775807", "9223372036854774806.875",
    )  # fmt: skip


def test_csv_cells_are_no_formulas(dangerous, file):
    found = rows(file)
    guarded = [f"'{text}" for text in DANGEROUS[:5]] + DANGEROUS[5:]
    assert [row["id_tag"] for row in found] == guarded
    assert {row["meter_start"] for row in found} == {"-5"}  # a number is one


def test_xlsx_cells_are_text_numbers_and_dates(dangerous, tmp_path):
    file = tmp_path / "transactions.xlsx"
    Transaction.objects.update(meter_start=10**15)
    Transaction.objects.filter(id_tag="007").update(meter_start=7, id_tag="a\x07b", energy_wh=1.5)
    export(file)
    (sheet,) = load_workbook(file).worksheets
    header, *found = sheet.iter_rows()
    assert (sheet.title, [cell.value for cell in header]) == ("Transactions", list(COLUMNS))
    columns = {name: [row[index] for row in found] for index, name in enumerate(COLUMNS)}
    assert [(cell.value, cell.data_type) for cell in columns["id_tag"]] == [
        (text if text != "007" else "a\N{REPLACEMENT CHARACTER}b", "s") for text in DANGEROUS
    ]
    assert [cell.value for cell in columns["started_at"]][:2] == [
        datetime(2026, 3, 1, 12, 0), datetime(2026, 3, 1, 12, 1),  # noqa: DTZ001 - Excel knows no zones
    ]  # fmt: skip
    assert columns["meter_start"][0].value == str(10**15)
    assert (columns["meter_start"][7].value, columns["energy_wh"][7].value) == (7, 1.5)


def test_xlsx_has_numbers_of_more_than_15_digits_as_text(three, tmp_path):
    file = tmp_path / "transactions.xlsx"
    Transaction.objects.update(meter_start=Decimal("999999999999.125"), energy_wh=Decimal("9999999999999.125"))
    export(file)
    (sheet,) = load_workbook(file).worksheets
    _, row, *_ = sheet.iter_rows()
    cells = [row[COLUMNS.index(name)] for name in ("meter_start", "energy_wh")]
    assert [(cell.value, cell.data_type) for cell in cells] == [(999999999999.125, "n"), ("9999999999999.125", "s")]


def test_xlsx_goes_on_in_a_further_sheet(tmp_path):
    with (tmp_path / "x.xlsx").open("wb") as file:
        writer = XlsxWriter(file, title="Rows", columns=["n"], sheet_rows=3)
        for number in range(5):
            writer.write([number])
        writer.finish()
    book = load_workbook(tmp_path / "x.xlsx")
    assert {sheet.title: [cell.value for (cell,) in sheet.iter_rows()] for sheet in book} == {
        "Rows": ["n", 0, 1],
        "Rows 2": ["n", 2, 3],
        "Rows 3": ["n", 4],
    }


def test_file_is_replaced_whole_or_not_at_all(three, file, monkeypatch):
    file.write_text("before")
    monkeypatch.setattr("transactions.export._CHUNK", 1)

    def fail(cells: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full_disk:
        full_disk.setattr("evcharging.tables.writers._csv_cell", fail)
        with pytest.raises(CommandError) as caught:
            export(file)
    assert str(caught.value) == f"{file}: No space left on device"
    assert (file.read_text(), os.listdir(file.parent)) == ("before", [file.name])
    export(file)
    assert file.read_text().count("\n") == 4


def test_file_that_is_no_file_is_left_alone(three, tmp_path):
    for path, reason in (
        (tmp_path, "it is a folder and not a file"),
        (Path("/dev/null"), "it is a device and not a file"),
        (tmp_path / "missing" / "x.csv", "No such file or directory"),
    ):
        with pytest.raises(CommandError) as caught:
            export(path)
        assert str(caught.value) == f"{path}: {reason}"
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_link_stays_one(three, file, tmp_path):
    target = tmp_path / "elsewhere.csv"
    target.write_text("before")
    file.symlink_to(target)
    export(file)
    assert (file.is_symlink(), target.read_text().count("\n")) == (True, 4)


# As a process


def spawn(environment: dict[str, str], *arguments: str, **options: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "export_transactions", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


@pytest.fixture
def many(live_environment: dict[str, str], django_db_blocker) -> dict[str, str]:
    """A database with 100 000 stopped transactions of one connector, a minute apart, and an open one."""
    server = LiveServer(data_dir=Path("/nonexistent"), env=live_environment)  # its orm() is all that is needed of it
    with django_db_blocker.unblock(), server.orm():
        row = transaction_of(start(make_station(), id_tag="X"))
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO transactions_transaction (ref,
                    station_id, connector_id, id_tag, id_tag_folded, told_authorization, accepted,
                    reported_connector_id,
                    start_timestamp_raw, start_is_credible, started_at, start_received_at, meter_start, closing,
                    stopped_at, meter_stop, stop_reason, stop_id_tag, estimate_cause, closed_by, close_note,
                    energy_wh, last_message_at, marks)
                SELECT 'row ' || n,
                    station_id, connector_id, id_tag, id_tag_folded, told_authorization, true, 1, n::text, true,
                    started_at - n * interval '1 minute', started_at, 0, 'reported', started_at, n, 'Local', '',
                    '', '', '', n, started_at, '{}'
                FROM transactions_transaction, generate_series(1, 100000) AS n WHERE id = %s
                """,
                [row.pk],
            )
    return live_environment


def test_stdout_gets_all_and_stderr_the_counts(many):
    process = spawn(many)
    out, err = process.communicate()
    assert (process.returncode, err) == (0, b"100001 transactions, 1 of them open, 1 with marks\n")
    lines = out.decode().splitlines()
    assert len(lines) == 100_002
    times = [line.split(",")[5] for line in lines[1:]]
    assert times == sorted(times)


def test_memory_does_not_grow_with_the_table(many, tmp_path):
    def peak_kb(*arguments: str) -> int:
        process = spawn(many, str(tmp_path / "x.csv"), *arguments)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.communicate()
        assert process.returncode == 0
        return usage.ru_maxrss

    assert peak_kb() - peak_kb("--closing=open") < 20_000


def test_reader_that_leaves_is_an_error(many):
    process = spawn(many)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b"CommandError: stdout: Broken pipe\n"
    process.stderr.close()
    assert process.wait() == 1


def test_full_disk_behind_stdout_is_an_error(many):
    with open("/dev/full", "wb") as full:
        result = subprocess.run(
            [sys.executable, "manage.py", "export_transactions", "--closing=open"],
            cwd=REPOSITORY,
            env={**os.environ, **many},
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (result.returncode, result.stderr) == (1, b"CommandError: stdout: No space left on device\n")
