"""The REST API: what its resources share; the resources are in each app's `api`."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "evcharging.api"
    label = "api"
    verbose_name = "API"
