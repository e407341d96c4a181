"""manage.py backup: write a backup while the system runs."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from evcharging.jobs.backups import BackupError, write_backup


class Command(BaseCommand):
    help = "Write the database and the secret key to one file, as one snapshot; the system may run."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="replaced atomically")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the backup.

        :raises CommandError: with one line.
        """
        path = Path(options["file"])
        key_file = settings.DATA_DIR / "secret_key"
        try:
            applied = sorted(f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations())
            size = write_backup(
                path,
                database=connection.settings_dict,
                secret_key=key_file.read_text() if key_file.exists() else None,
                migrations=applied,
                now=timezone.now(),
            )
        except (BackupError, OperationalError) as error:
            raise CommandError(" ".join(str(error).split())) from None
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror or error}") from None
        self.stdout.write(f"{path}: {size:,} bytes, {len(applied)} migrations")
