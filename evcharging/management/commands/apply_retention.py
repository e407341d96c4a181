"""manage.py apply_retention: delete what is older than its retention; the gateway does so every hour."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from evcharging.jobs.storage import apply_retention


class Command(BaseCommand):
    help = "Delete samples, roll-ups and statuses that are older than the …_RETENTION_DAYS settings say."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Say what would be deleted and delete nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        removed = apply_retention(now=timezone.now(), is_dry_run=options["dry_run"])
        for each in removed:
            self.stdout.write(f"{'would delete' if options['dry_run'] else 'deleted'} {each}")
        if not removed:
            self.stdout.write("Nothing is old enough, or everything is kept for ever.")
