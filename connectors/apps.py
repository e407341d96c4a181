"""Connectors: the last known state of each."""

from django.apps import AppConfig


class ConnectorsConfig(AppConfig):
    name = "connectors"
    verbose_name = "Connectors"

    def ready(self) -> None:
        from connectors import receivers  # noqa: F401 - connects them; needs the app registry
