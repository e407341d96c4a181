"""manage.py reconcile: nightly clean-up and consistency checks of transactions."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from transactions.invariants import Finding, broken_invariants
from transactions.models import OrphanKind
from transactions.selectors import stale_count, waiting_orphans
from transactions.services.closing import close_stale
from transactions.services.reconciling import adopt_fitting_orphans, fitting_orphans


class Command(BaseCommand):
    help = (
        "Close stale transactions, adopt waiting messages that fit exactly one transaction by now, and report broken "
        "invariants. The system may run. Exits with 1 if there is something for staff to review."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="report what would happen and change nothing")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        """Reconcile and report.

        :raises SystemExit: with 1, if there is something for staff to review.
        """
        now = timezone.now()
        if dry_run:
            closed, adopted = stale_count(now), len(fitting_orphans())
        else:
            closed, adopted = close_stale(now=now), len(adopt_fitting_orphans(now=now))
        waiting = waiting_orphans()
        findings = broken_invariants(now=now, is_mended=not dry_run)
        would = "would be " if dry_run else ""
        table = [
            (closed, f"stale transactions {would}closed at their last reading"),
            (adopted, f"waiting messages {would}adopted by the only transaction that fits"),
            *((waiting.get(kind, 0), f"{label} waiting for review") for kind, label in _KINDS),
            *((finding.rows, finding.title) for finding in findings),
        ]
        width = max(len(str(count)) for count, _ in table)
        for count, what in table:
            self.stdout.write(f"{count:>{width}}  {what}")
        for finding in findings:
            self._show(finding)
        left = sum(waiting.values()) - (adopted if dry_run else 0)
        if left or findings:
            self.stdout.write("There are findings for staff to review.")
            sys.exit(1)

    def _show(self, finding: Finding) -> None:
        self.stdout.write(f"\n{finding.title}:")
        for text in finding.examples:
            self.stdout.write(f"  {text}")
        if finding.rows > len(finding.examples):
            self.stdout.write(f"  … and {finding.rows - len(finding.examples)} more")


_KINDS = ((OrphanKind.STOP, "stops"), (OrphanKind.METER_VALUES, "days of meter values"))
