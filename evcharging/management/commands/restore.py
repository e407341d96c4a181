"""manage.py restore: load a backup, with all servers stopped."""

import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection
from django.db.migrations.loader import MigrationLoader

from evcharging.atomic_files import write_private_file
from evcharging.embedded.process import EmbeddedServerError
from evcharging.embedded.servers import EmbeddedServersInUse
from evcharging.jobs.backups import Backup, BackupError, load_dump, load_timescale_dump, open_backup
from transactions.services.start import skip_transaction_ids

#: Ids given after the backup must not be given again: a stop of such a transaction would end another one.
SKIPPED_IDS = 1_000_000


class Command(BaseCommand):
    help = "Load a backup into an empty system, or with --force replace the present data. Stop all servers first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="written by `backup`")
        parser.add_argument("--force", action="store_true", help="replace the present data")

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify the file, then restore it.

        :raises CommandError: with one line; nothing was changed, unless the database is a TimescaleDB.
        """
        try:
            with (
                tempfile.TemporaryDirectory(prefix=".restore-", dir=_folder()) as folder,
                settings.EMBEDDED_SERVERS.exclusively(),
            ):
                backup = open_backup(Path(options["file"]), Path(folder))
                self._check(backup, options["force"])
                self._load(backup, options["force"])
                call_command("migrate", interactive=False, verbosity=0)
                skip_transaction_ids(count=SKIPPED_IDS)
                connection.close()
                cache.clear()
        except EmbeddedServersInUse as error:
            raise CommandError(f"stop the servers first: {error}") from None
        except (BackupError, EmbeddedServerError, OperationalError) as error:
            raise CommandError(" ".join(str(error).split())) from None
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror or error}") from None
        self.stdout.write(f"restored the backup of {backup.manifest['created_at']}")

    def _check(self, backup: Backup, is_forced: bool) -> None:
        unknown = set(backup.manifest.get("migrations", ())) - _known_migrations()
        if unknown:
            raise BackupError(f"a newer release wrote it: this one does not have {', '.join(sorted(unknown)[:5])}")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND backend_type = 'client backend'"
            )
            (others,) = cursor.fetchone()
        if others:
            raise BackupError(f"stop the servers first: the database has {others} other connections")
        if not is_forced and _has_data():
            raise BackupError("the database has data; --force replaces it")

    def _load(self, backup: Backup, is_forced: bool) -> None:
        database = connection.settings_dict
        connection.ensure_connection()
        version = connection.connection.info.server_version
        is_timescale = "timescale" in str(database["ENGINE"])
        if is_timescale and connection.introspection.table_names():
            raise BackupError("a TimescaleDB is restored into a new, empty database: create one and set DATABASE_URL")
        connection.close()
        if is_timescale:
            load_timescale_dump(backup.dump, database=database)
        else:
            load_dump(backup.dump, database=database, replaces=True, server_version=version)
        if backup.secret_key is not None:
            write_private_file(settings.DATA_DIR / "secret_key", backup.secret_key)


def _known_migrations() -> set[str]:
    return {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}


def _folder() -> Path | None:
    """Return DATA_DIR as the place to unpack a backup: the system's temporary folder may be too small."""
    return settings.DATA_DIR if settings.DATA_DIR.is_dir() else None


def _has_data() -> bool:
    """Tell whether the database has users, stations, or tables that are not ours."""
    tables = set(connection.introspection.table_names())
    if not tables:
        return False
    if "stations_station" not in tables:
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM stations_station) OR EXISTS (SELECT FROM auth_user)")
        return bool(cursor.fetchone()[0])
