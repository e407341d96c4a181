"""Meter values: every sample that a station reported."""

from django.apps import AppConfig


class MeterConfig(AppConfig):
    name = "meter"
    verbose_name = "Meter values"
