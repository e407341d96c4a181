"""Meter values in the back office."""

from meter.admin import meter_values

__all__ = ["meter_values"]
