"""Stations: who they are, what they reported, what was asked of them."""

from django.apps import AppConfig


class StationsConfig(AppConfig):
    name = "stations"
    verbose_name = "Stations"
