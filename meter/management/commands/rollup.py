"""manage.py rollup: roll up meter values now; server processes do so every few minutes."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from meter.rollups.roll_up import roll_up
from meter.storage import has_continuous_aggregates


class Command(BaseCommand):
    help = "Roll up meter values by 15 minutes and by day, late ones too. Idempotent."

    def handle(self, *args: Any, **options: Any) -> None:
        done = roll_up(now=timezone.now())
        if not done.is_ours:
            self.stdout.write("Another process is rolling up.")
        elif has_continuous_aggregates():
            self.stdout.write(f"Refreshed {done.late} quarter-hours with late samples; TimescaleDB rolls up the rest.")
        else:
            self.stdout.write(
                f"Rolled up until {done.until:%Y-%m-%d %H:%M} UTC: {done.quarters} rows of 15 minutes, "
                f"{done.days} of a day, {done.late} quarter-hours with late samples again."
            )
