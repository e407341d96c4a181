"""manage.py ocpp_coverage: print docs/ocpp-coverage.md."""

from typing import Any

from django.core.management.base import BaseCommand

from evcharging.gateway.coverage import coverage


class Command(BaseCommand):
    help = "Print docs/ocpp-coverage.md, generated from the handlers."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(coverage(), ending="")
