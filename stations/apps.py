"""Stations: who they are, what they reported, what was asked of them."""

from django.apps import AppConfig


class StationsConfig(AppConfig):
    name = "stations"
    verbose_name = "Stations"

    def ready(self) -> None:
        from stations import receivers  # noqa: F401 - connects them; needs the app registry
