"""Status history: every status that a station reported."""

from django.apps import AppConfig


class StatusNotificationsConfig(AppConfig):
    name = "status_notifications"
    verbose_name = "Status history"
