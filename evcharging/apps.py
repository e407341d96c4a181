"""The project as a Django app: management commands, system checks, templates of all apps."""

from django.apps import AppConfig


class EvchargingConfig(AppConfig):
    name = "evcharging"
    verbose_name = "EV charging"

    def ready(self) -> None:
        from evcharging.config import checks  # noqa: F401  (registers the checks; needs the app registry)
        from evcharging.gateway import receivers  # noqa: F401  (connects them)
        from evcharging.gateway.dialects import register_dialects

        register_dialects()
