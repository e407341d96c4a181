"""manage.py apply_storage_policies: update TimescaleDB's policies now; server processes do so when they start."""

from typing import Any

from django.core.management.base import BaseCommand

from evcharging.jobs.storage import apply_policies


class Command(BaseCommand):
    help = "Apply the settings of chunks, compression, continuous aggregates and retention to TimescaleDB. Idempotent."

    def handle(self, *args: Any, **options: Any) -> None:
        for line in apply_policies():
            self.stdout.write(line)
        self.stdout.write("Storage policies match the settings.")
