"""Id tags: who may charge."""

from django.apps import AppConfig


class IdTagsConfig(AppConfig):
    name = "id_tags"
    verbose_name = "Id tags"

    def ready(self) -> None:
        from id_tags import receivers  # noqa: F401 - connects them; needs the app registry
