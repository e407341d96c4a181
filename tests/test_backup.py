"""backup and restore: everything comes back, nothing is touched by what cannot be used."""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from evcharging.config.database_url import parse_database_url
from evcharging.embedded.servers import EmbeddedServers
from evcharging.jobs.backups import connect_arguments
from tests.support.charger import Charger
from tests.support.live_server import REPOSITORY, LiveServer
from tests.support.used_folders import EMBEDDED, fill_as_used

pytestmark = pytest.mark.live

OPEN = EMBEDDED | {"OCPP_ENROLMENT": "open"}


def manage(data_dir: Path, *words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | OPEN | {"DATA_DIR": str(data_dir), "SECRET_KEY": ""} | env
    return subprocess.run(
        [sys.executable, "manage.py", *words], cwd=REPOSITORY, env=environment, capture_output=True, text=True
    )


def rows(data_dir: Path, table: str) -> str:
    done = manage(data_dir, "shell", "--no-imports", "-c", (
        "from django.db import connection as c\n"
        f"with c.cursor() as k: k.execute('SELECT t::text FROM {table} t ORDER BY 1'); print(k.fetchall())"
    ))  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folders(short_tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """Two data folders, one used and one empty, whose servers are down afterwards."""
    made = short_tmp_path / "a", short_tmp_path / "b"
    for folder in made:
        folder.mkdir(mode=0o711)
    fill_as_used(made[0])
    yield made
    for folder in made:
        EmbeddedServers(folder).stop_if_unused()


def test_backup_of_a_running_system_comes_back_whole(folders: tuple[Path, Path], short_tmp_path: Path) -> None:
    source, target = folders
    file = short_tmp_path / "backup.tar"
    with LiveServer(data_dir=source, env=OPEN | {"SECRET_KEY": ""}) as server:  # noqa: SIM117 - ends after its charger
        with Charger(server.url, "CP-1") as charger:
            charger.boot()
            answer = charger.result(
                "StartTransaction",
                {"connectorId": 1, "idTag": "T", "meterStart": 5, "timestamp": "2026-11-01T10:00:00Z"},
            )
            sample = {"timestamp": "2026-11-01T10:05:00Z", "sampledValue": [{"value": "17"}]}
            charger.result(
                "MeterValues",
                {"connectorId": 1, "transactionId": answer["transactionId"], "meterValue": [sample]},
            )
            done = manage(source, "backup", str(file))
            assert done.returncode == 0, done.stderr
            refused = manage(source, "restore", str(file), "--force")
            assert refused.returncode == 1
            assert "stop the servers first" in refused.stderr
            assert len(refused.stderr.splitlines()) == 1
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in short_tmp_path.iterdir() if path.name.startswith(".backup")] == []
    done = manage(target, "restore", str(file))
    assert done.returncode == 0, done.stderr
    for table in ("transactions_transaction", "meter_values", "auth_user"):
        assert rows(source, table) == rows(target, table) != "[]\n"
    assert (source / "secret_key").read_text() == (target / "secret_key").read_text()
    with (
        LiveServer(data_dir=target, env=OPEN | {"SECRET_KEY": ""}) as server,
        Charger(server.url, "CP-1") as charger,
    ):
        charger.result(
            "StopTransaction",
            {"transactionId": answer["transactionId"], "meterStop": 105, "timestamp": "2026-11-01T11:00:00Z"},
        )
    assert "reported" in rows(target, "transactions_transaction")
    again = manage(target, "restore", str(file))
    assert (again.returncode, "--force replaces it" in again.stderr) == (1, True)
    assert manage(target, "restore", str(file), "--force").returncode == 0
    assert rows(source, "transactions_transaction") == rows(target, "transactions_transaction")


def test_what_is_no_backup_changes_nothing(folders: tuple[Path, Path], short_tmp_path: Path) -> None:
    source, _ = folders
    good = short_tmp_path / "good.tar"
    assert manage(source, "backup", str(good)).returncode == 0
    whole = good.read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    cases = {
        "cut": (whole[: len(whole) // 2], "cut short"),
        "damaged": (bytes(damaged), "damaged"),
        "text": (b"hello", "no backup"),
        "newer": (_with_manifest(good, {"migrations": ["stations.9999_future"]}), "a newer release wrote it"),
        "format": (_with_manifest(good, {"format": 2}), "format 2"),
    }
    before = rows(source, "django_migrations")
    for name, (content, said) in cases.items():
        path = short_tmp_path / name
        path.write_bytes(content)
        done = manage(source, "restore", str(path), "--force")
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), (name, done.stderr)
        assert said in done.stderr, (name, done.stderr)
    assert manage(source, "restore", str(short_tmp_path / "missing")).returncode == 1
    assert rows(source, "django_migrations") == before
    unwritable = manage(source, "backup", "/nowhere/backup.tar")
    assert (unwritable.returncode, len(unwritable.stderr.splitlines())) == (1, 1), unwritable.stderr


def test_restore_is_refused_beside_a_server_that_nobody_is_connected_to(
    folders: tuple[Path, Path], short_tmp_path: Path
) -> None:
    file = short_tmp_path / "backup.tar"
    with LiveServer(data_dir=folders[0], env=OPEN | {"SECRET_KEY": ""}) as server:
        assert manage(folders[0], "backup", str(file)).returncode == 0
        done = manage(folders[0], "restore", str(file), "--force")
        assert (done.returncode, done.stderr) == (
            1,
            f"CommandError: stop the servers first: another process uses the data folder {folders[0]}\n",
        )
        assert server.status("/readyz") == 200


def test_restore_leaves_what_is_not_ours_alone(folders: tuple[Path, Path], short_tmp_path: Path) -> None:
    source, target = folders
    file = short_tmp_path / "backup.tar"
    assert manage(source, "backup", str(file)).returncode == 0
    sql = "from django.db import connection as c; c.cursor().execute('CREATE TABLE theirs AS SELECT 1 AS n')"
    assert manage(target, "shell", "--no-imports", "-c", sql).returncode == 0
    done = manage(target, "restore", str(file))
    assert (done.returncode, "--force replaces it" in done.stderr) == (1, True)
    assert rows(target, "theirs") == "[('(1)',)]\n"


def test_dump_that_fails_half_way_changes_nothing(folders: tuple[Path, Path], short_tmp_path: Path) -> None:
    source, _ = folders
    file = short_tmp_path / "backup.tar"
    assert manage(source, "backup", str(file)).returncode == 0
    with tarfile.open(file) as archive:
        dump = archive.extractfile("database.dump").read()
    cut = dump[: len(dump) // 2]  # pg_restore notices when half of its script is out
    sums = {"database.dump": hashlib.sha256(cut).hexdigest()}
    file.write_bytes(_with_manifest(file, {"sha256": sums}, dump=cut))
    before, key = rows(source, "django_migrations"), (source / "secret_key").read_text()
    done = manage(source, "restore", str(file), "--force")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert done.stderr.startswith("CommandError: pg_restore: "), done.stderr
    assert (rows(source, "django_migrations"), (source / "secret_key").read_text()) == (before, key)
    assert sorted(path.name for path in source.iterdir()) == ["embedded", "secret_key"]


def test_transaction_ids_go_on_beyond_those_given_since_the_backup(
    folders: tuple[Path, Path], short_tmp_path: Path
) -> None:
    source, target = folders
    file = short_tmp_path / "backup.tar"
    assert manage(source, "backup", str(file)).returncode == 0
    assert manage(target, "restore", str(file)).returncode == 0
    assert rows(target, "nextval($$transactions_transaction_id_seq$$)") == "[('1000002',)]\n"


def test_database_that_runs_elsewhere_is_backed_up_too(
    folders: tuple[Path, Path], live_environment: dict[str, str], short_tmp_path: Path
) -> None:
    file = short_tmp_path / "backup.tar"
    done = manage(folders[1], "backup", str(file), **live_environment)
    assert done.returncode == 0, done.stderr
    done = manage(folders[1], "restore", str(file), "--force", **live_environment)
    assert done.returncode == 0, done.stderr


def test_programs_connect_as_the_system_does_and_show_no_password() -> None:
    database = parse_database_url("postgres://me:s3cret@db:5433/name?sslmode=verify-full&sslrootcert=/ca.pem")
    how = connect_arguments(database, ["pg_dump"])
    assert how["args"][0] == "pg_dump"
    assert conninfo_to_dict(how["args"][1].removeprefix("--dbname=")) == {
        "dbname": "name", "user": "me", "host": "db", "port": "5433",
        "sslmode": "verify-full", "sslrootcert": "/ca.pem",
    }  # fmt: skip
    assert how["env"]["PGPASSWORD"] == "s3cret"


def _with_manifest(path: Path, changes: dict[str, object], dump: bytes | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(path) as archive, tarfile.open(fileobj=out, mode="w") as changed:
        for entry in archive.getmembers():
            content = archive.extractfile(entry)
            assert content is not None
            data = content.read()
            if entry.name == "manifest.json":
                data = json.dumps(json.loads(data) | changes).encode()
            if entry.name == "database.dump" and dump is not None:
                data = dump
            entry.size = len(data)
            changed.addfile(entry, io.BytesIO(data))
    return out.getvalue()
