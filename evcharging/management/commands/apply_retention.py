"""manage.py apply_retention: apply the retention settings now; server processes do so every hour."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from evcharging.jobs.storage import apply_retention


class Command(BaseCommand):
    help = "Delete samples, roll-ups and statuses beyond their …_RETENTION_DAYS. Server processes do so every hour."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="report what would be deleted and delete nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        removed = apply_retention(now=timezone.now(), is_dry_run=options["dry_run"])
        for each in removed:
            self.stdout.write(f"{'would delete' if options['dry_run'] else 'deleted'} {each}")
        if not removed:
            self.stdout.write("Nothing to delete: no retention is set, or nothing is rolled up yet.")
