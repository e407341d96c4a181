"""Meter values: every sample that a station reported."""

from django.apps import AppConfig


class MeterConfig(AppConfig):
    name = "meter"
    verbose_name = "Meter values"

    def ready(self) -> None:
        from meter import receivers  # noqa: F401 - connects them; needs the app registry
