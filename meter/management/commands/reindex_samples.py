"""manage.py reindex_samples: rebuild the bloated index of samples (REINDEX CONCURRENTLY)."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from meter.services.reindexing import reindex_samples


class Command(BaseCommand):
    help = "Rebuild the index of meter values where it is bloated, while the system runs. Monthly, at low load."

    def handle(self, *args: Any, **options: Any) -> None:
        done = reindex_samples(now=timezone.now())
        if done is None:
            self.stdout.write("Another process is rebuilding it.")
            return
        for each in done:
            self.stdout.write(str(each))
        if not done:
            self.stdout.write("No index is bloated.")
