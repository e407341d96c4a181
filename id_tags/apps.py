"""Id tags: who may charge."""

from django.apps import AppConfig


class IdTagsConfig(AppConfig):
    name = "id_tags"
    verbose_name = "Id tags"
