"""manage.py reindex_samples: make the index of samples dense again, while all goes on."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from meter.services.reindexing import reindex_samples


class Command(BaseCommand):
    help = "Rebuild the index of meter values where it takes much more room than it needs. Monthly, in a quiet hour."

    def handle(self, *args: Any, **options: Any) -> None:
        done = reindex_samples(now=timezone.now())
        if done is None:
            self.stdout.write("Another process is at it.")
            return
        for each in done:
            self.stdout.write(str(each))
        if not done:
            self.stdout.write("Nothing takes much more room than it needs.")
