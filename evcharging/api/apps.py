"""The REST API: what all of its resources share; the resources are each app's api.py."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "evcharging.api"
    label = "api"
    verbose_name = "API"
